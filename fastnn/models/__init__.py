"""fastnn.models: well-known networks by name, with random weights, as `Sequential` of fastnn's layers.

lenet5(classes=10, input_size=28, channels=1)       LeNet-5 with ReLU and max-pooling
alexnet(classes=1000, input_size=224, channels=3)   Krizhevsky et al., 2012
zfnet                                               Zeiler and Fergus, 2014: AlexNet with smaller first filters
vgg11, vgg13, vgg16, vgg19                          Simonyan and Zisserman, 2014: 3x3 convolutions alone
googlenet                                           Szegedy et al., 2014: Inception blocks
resnet18, resnet34                                  He et al., 2015: residual blocks, for large images
resnet20, resnet56                                  He et al., 2015: residual blocks, for 32x32 images

All take the number of classes, the size of the images, an int or (H, W), and their channels, then `dtype` and `rng`, and map
(N, channels, H, W) to (N, classes), scores before softmax. Parameters come in torchvision's order where that has the same
network, as of VGG, ResNet-18 and 34, and GoogLeNet with batch normalization, so that its weights can be taken over::

    weights = torchvision_model.state_dict().values()
    network.load_state_dict(dict(zip(network.state_dict(), weights, strict=True)))
"""

from .alexnet import alexnet as alexnet
from .googlenet import googlenet as googlenet
from .lenet import lenet5 as lenet5
from .resnet import resnet18 as resnet18
from .resnet import resnet20 as resnet20
from .resnet import resnet34 as resnet34
from .resnet import resnet56 as resnet56
from .vgg import vgg11 as vgg11
from .vgg import vgg13 as vgg13
from .vgg import vgg16 as vgg16
from .vgg import vgg19 as vgg19
from .zfnet import zfnet as zfnet

MODELS = {
    function.__name__: function
    for function in (
        lenet5,
        alexnet,
        zfnet,
        vgg11,
        vgg13,
        vgg16,
        vgg19,
        googlenet,
        resnet18,
        resnet34,
        resnet20,
        resnet56,
    )
}
