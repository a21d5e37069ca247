"""Which epochs a model has: those of one process, or of several."""

from nnxp.distributed import ByMember
from nnxp.network.model import Model
from nnxp.training.loop import Training


def training_of(model: Model) -> Training:
    """The bound step of a model, and its epochs."""
    if model.communicator is None:
        return Training(model)
    if isinstance(model.communicator, ByMember):
        from nnxp.training.spread_loop import SpreadTraining

        return SpreadTraining(model)
    from nnxp.training.portion_loop import PortionTraining

    return PortionTraining(model)
