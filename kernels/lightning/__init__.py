"""Lightning attention: linear attention with a constant decay for each head (arXiv 2501.08313). See README.md."""

from kernels.lightning.forest import ForestPlan, lightning_forest
from kernels.lightning.op import lightning_attention, lightning_step
from kernels.lightning.slopes import decay_slopes

__all__ = ["ForestPlan", "decay_slopes", "lightning_attention", "lightning_forest", "lightning_step"]
