"""What PyTorch makes, and what it waits for, while something runs."""

from typing import Any


def watched(large: int) -> Any:
    """A context: `made` are the tensors of more than `large` elements that came to be in memory of their own, `waits`
    the operations that a device would be waited for by."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class Watch(TorchDispatchMode):  # type: ignore[misc]
        """Sees each operation that PyTorch runs."""

        def __init__(self) -> None:
            super().__init__()
            self.made: list[str] = []
            self.waits: list[str] = []

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            before = {
                t.untyped_storage().data_ptr() for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)
            }
            result = func(*args, **(kwargs or {}))
            if "local_scalar" in str(func) or "nonzero" in str(func):
                self.waits.append(str(func))
            for t in tree_leaves(result):
                if isinstance(t, torch.Tensor) and t.numel() > large and t.untyped_storage().data_ptr() not in before:
                    self.made.append(f"{func} {tuple(t.shape)}")
            return result

    return Watch()
