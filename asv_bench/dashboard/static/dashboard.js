/* Our page: light or dark, sorting, finding. Without scripts it reads the same, but for these. */
"use strict";

(function () {
    /* asv's page was index.html once: its addresses, as in its feed of regressions, still lead to it. */
    if (/^#(\/|\w+\.\w)/.test(window.location.hash)) {
        window.location.replace("asv.html" + window.location.hash);
        return;
    }

    /* --- light or dark: as the system says, until one is chosen here */

    var root = document.documentElement;
    var system = window.matchMedia("(prefers-color-scheme: dark)");

    function remembered() {
        try {
            return window.localStorage.getItem("theme");
        } catch (error) {
            return null; /* a browser may forbid it */
        }
    }

    function remember(theme) {
        try {
            window.localStorage.setItem("theme", theme);
        } catch (error) {
            /* then it holds until the page is left */
        }
    }

    function shown() {
        return root.dataset.theme || (system.matches ? "dark" : "light");
    }

    /* Before anything is drawn. */
    if (remembered()) {
        root.dataset.theme = remembered();
    }

    function switchable(button) {
        function name() {
            var other = shown() === "dark" ? "light" : "dark";
            button.textContent = other === "dark" ? "Dark" : "Light";
            button.setAttribute("aria-label", "Change to " + other + " colours");
        }
        button.addEventListener("click", function () {
            root.dataset.theme = shown() === "dark" ? "light" : "dark";
            remember(root.dataset.theme);
            name();
        });
        system.addEventListener("change", name);
        name();
        button.hidden = false;
    }

    /* --- sorting: by data-value of the cells; those without one stay last */

    function sort(table, heading) {
        var index = heading.cellIndex;
        var numbers = heading.dataset.kind === "number";
        var now = heading.getAttribute("aria-sort");
        var first = heading.dataset.first;
        var order = !now ? first : now === "ascending" ? "descending" : "ascending";
        var sign = order === "ascending" ? 1 : -1;
        var body = table.tBodies[0];
        var rows = Array.from(body.rows).map(function (row) {
            return { row: row, value: row.cells[index].dataset.value };
        });
        rows.sort(function (a, b) {
            if (a.value === "" || b.value === "") {
                return (a.value === "") - (b.value === "");
            }
            return sign * (numbers ? a.value - b.value : a.value.localeCompare(b.value, "en", { numeric: true }));
        });
        Array.from(heading.parentNode.cells).forEach(function (cell) {
            cell.removeAttribute("aria-sort");
        });
        heading.setAttribute("aria-sort", order);
        table.classList.add("sorted");
        rows.forEach(function (entry) {
            body.appendChild(entry.row);
        });
    }

    function sortable(table) {
        Array.from(table.tHead.rows[0].cells).forEach(function (heading) {
            heading.querySelector("button").addEventListener("click", function () {
                sort(table, heading);
            });
        });
    }

    /* --- finding: rows that have all the words, of one family or all */

    function findable(form) {
        var words = form.querySelector("input");
        var family = form.querySelector("select");
        var count = form.querySelector("output");
        var rows = Array.from(form.parentNode.querySelectorAll("tbody tr"));

        function find() {
            var wanted = words.value.toLowerCase().split(/\s+/);
            var found = 0;
            rows.forEach(function (row) {
                var has = wanted.every(function (word) {
                    return row.dataset.words.toLowerCase().indexOf(word) !== -1;
                });
                row.hidden = !has || (family.value !== "" && row.dataset.family !== family.value);
                found += !row.hidden;
            });
            count.textContent = found + (found === 1 ? " row" : " rows");
        }

        form.addEventListener("submit", function (event) {
            event.preventDefault();
        });
        words.addEventListener("input", find);
        family.addEventListener("change", find);
        form.hidden = false;
        find(); /* a browser may bring back what was typed before */
    }

    document.addEventListener("DOMContentLoaded", function () {
        switchable(document.getElementById("theme"));
        document.querySelectorAll("table.sortable").forEach(sortable);
        document.querySelectorAll("form.filter").forEach(findable);
    });
})();
