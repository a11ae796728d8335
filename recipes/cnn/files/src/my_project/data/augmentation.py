"""Random crop with reflection, mirror image and cutout, for a whole batch on its device.

What happens to each image is drawn on the CPU from the seed and the epoch alone, so that neither
the device, nor the number of processes, nor a restart changes it.
"""

import torch
from torch import Tensor


def draw_epoch(seed: int, epoch: int, count: int, side: int, crop: int, flip: bool) -> Tensor:
    """Return (image, shift down, shift right, flip, cutout row, column), (count, 6), shuffled."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order = torch.randperm(count, generator=generator)
    shift = torch.randint(-crop, crop + 1, (count, 2), generator=generator)
    flips = torch.randint(0, 2, (count, 1), generator=generator) * flip
    centre = torch.randint(0, side, (count, 2), generator=generator)
    return torch.cat([order[:, None], shift, flips, centre], dim=1)


def augment(images: Tensor, plan: Tensor, cutout: int) -> Tensor:
    """Return the images (batch, side, side, channels) that rows of `draw_epoch` ask for.

    `cutout` is the side of a square that is blackened (DeVries and Taylor 2017); 0 for none.
    """
    image, down, right, flip, row, column = plan[:, :, None].unbind(1)
    side, channels = images.shape[2:]
    pixel = torch.arange(side, device=images.device)
    rows, columns = (_reflect(pixel + shift, side) for shift in (down, right))
    columns = torch.where(flip == 1, side - 1 - columns, columns)
    # One gather of pixels does it all: the array of all images is read in place, never padded.
    index = ((image * side + rows)[:, :, None] * side + columns[:, None, :]).flatten()
    batch = images.view(-1, channels).index_select(0, index).view(-1, side, side, channels)
    if cutout:
        near_row, near_column = ((pixel - at).abs() * 2 < cutout for at in (row, column))
        inside = near_row[:, :, None] & near_column[:, None, :]
        batch *= inside.logical_not()[..., None].to(batch.dtype)
    return batch


def _reflect(position: Tensor, side: int) -> Tensor:
    """Fold positions outside of 0 .. side - 1 back at the edges."""
    return side - 1 - (side - 1 - position.abs()).abs()
