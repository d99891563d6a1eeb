"""The layers, under the names that ``paddle.nn`` gives them."""

from paddle_margin._losses.cosine_embedding import CosineEmbeddingLoss as CosineEmbeddingLoss
from paddle_margin._losses.hinge_embedding import HingeEmbeddingLoss as HingeEmbeddingLoss
from paddle_margin._losses.margin_ranking import MarginRankingLoss as MarginRankingLoss
from paddle_margin._losses.multi_label_margin import MultiLabelMarginLoss as MultiLabelMarginLoss
from paddle_margin._losses.multi_label_soft_margin import (
    MultiLabelSoftMarginLoss as MultiLabelSoftMarginLoss,
)
from paddle_margin._losses.multi_margin import MultiMarginLoss as MultiMarginLoss
from paddle_margin._losses.soft_margin import SoftMarginLoss as SoftMarginLoss
from paddle_margin._losses.triplet_margin import TripletMarginLoss as TripletMarginLoss
from paddle_margin._losses.triplet_margin_with_distance import (
    TripletMarginWithDistanceLoss as TripletMarginWithDistanceLoss,
)
from paddle_margin.nn import functional as functional
