"""The functions, under the names that ``paddle.nn.functional`` gives them."""

from paddle_margin._losses.cosine_embedding import cosine_embedding_loss as cosine_embedding_loss
from paddle_margin._losses.hinge_embedding import hinge_embedding_loss as hinge_embedding_loss
from paddle_margin._losses.margin_ranking import margin_ranking_loss as margin_ranking_loss
from paddle_margin._losses.multi_label_margin import (
    multi_label_margin_loss as multi_label_margin_loss,
)
from paddle_margin._losses.multi_label_margin import (
    multilabel_margin_loss as multilabel_margin_loss,
)
from paddle_margin._losses.multi_label_soft_margin import (
    multi_label_soft_margin_loss as multi_label_soft_margin_loss,
)
from paddle_margin._losses.multi_label_soft_margin import (
    multilabel_soft_margin_loss as multilabel_soft_margin_loss,
)
from paddle_margin._losses.multi_margin import multi_margin_loss as multi_margin_loss
from paddle_margin._losses.soft_margin import soft_margin_loss as soft_margin_loss
from paddle_margin._losses.triplet_margin import triplet_margin_loss as triplet_margin_loss
from paddle_margin._losses.triplet_margin_with_distance import (
    triplet_margin_with_distance_loss as triplet_margin_with_distance_loss,
)
