"""The layers, under the names that ``paddle.nn`` gives them."""

from paddle_margin._losses.hinge_embedding import HingeEmbeddingLoss as HingeEmbeddingLoss
from paddle_margin._losses.multi_margin import MultiMarginLoss as MultiMarginLoss
from paddle_margin.nn import functional as functional
