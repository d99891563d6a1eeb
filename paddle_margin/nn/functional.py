"""The functions, under the names that ``paddle.nn.functional`` gives them."""

from paddle_margin._losses.hinge_embedding import hinge_embedding_loss as hinge_embedding_loss
from paddle_margin._losses.multi_margin import multi_margin_loss as multi_margin_loss
