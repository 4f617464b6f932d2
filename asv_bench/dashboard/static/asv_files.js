/* Lets asv's pages read their data files from disk.

   A browser refuses a page from file:// to read other files with XMLHttpRequest, but lets it load scripts. Beside each data file
   there is a script, file.json.js, which calls asvFile with the same content. Under file:// jQuery is given another way of
   transport for JSON, which loads that script; from a server asv reads its files as ever. */
"use strict";

(function () {
    if (window.location.protocol !== "file:") {
        return;
    }

    /* What the scripts call, while they are the current one. */
    window.asvFile = function (data) {
        document.currentScript.asvData = data;
    };

    $.ajaxTransport("json", function (options) {
        var script;
        return {
            send: function (headers, complete) {
                script = document.createElement("script");
                script.src = options.url.replace(/\?.*$/, "") + ".js";
                script.onload = function () {
                    complete(200, "OK", { json: script.asvData });
                    script.remove();
                };
                script.onerror = function () {
                    complete(404, "Not Found");
                    script.remove();
                };
                document.head.appendChild(script);
            },
            abort: function () {
                script.onload = script.onerror = null;
            }
        };
    });

    /* asv asks for this one file only to see whether the server is there. */
    $.ajaxTransport("text", function (options) {
        if (/^swallow\.ico/.test(options.url)) {
            return {
                send: function (headers, complete) {
                    complete(200, "OK", { text: "" });
                },
                abort: function () {}
            };
        }
    });
})();
