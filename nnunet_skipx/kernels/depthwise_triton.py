"""Triton kernels for depthwise convolutions in 2D and 3D, channels last: what torch has for GPUs is slow in 3D.

A map is read as `(B, D, H, W, C)` with C next to each other in memory, one in 2D with D = 1. Each kernel reads and
writes every map once, as far as the neighbours of a voxel lie in the GPU's cache, and sums in float32. Kernels have odd
lengths; an axis is padded by half of that, so that stride 1 keeps its size.
"""

# A kernel takes pointers and integers, and constants in capitals, as is usual with Triton.
# ruff: noqa: ANN001, ANN201, N803
import triton
import triton.language as tl


@triton.jit
def convolve(
    x,
    w,
    y,
    planes,
    lines,
    voxels,
    out_planes,
    out_lines,
    out_voxels,
    channels,
    stride_d,
    stride_h,
    stride_w,
    KD: tl.constexpr,
    KH: tl.constexpr,
    KW: tl.constexpr,
    BLOCK_W: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """y, the convolution of x with w: a program per part of a line of y and block of channels."""
    parts = tl.cdiv(out_voxels, BLOCK_W)
    line = (tl.program_id(0) // parts).to(tl.int64)
    ow = (tl.program_id(0) % parts) * BLOCK_W + tl.arange(0, BLOCK_W)
    c = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    oh, od, image = line % out_lines, line // out_lines % out_planes, line // out_lines // out_planes
    total = tl.zeros([BLOCK_W, BLOCK_C], tl.float32)
    for kd in range(KD):
        d = od * stride_d + kd - KD // 2
        for kh in range(KH):
            h = oh * stride_h + kh - KH // 2
            end = tl.where((d >= 0) & (d < planes) & (h >= 0) & (h < lines), voxels, 0)
            start = ((image * planes + d) * lines + h) * voxels
            for kw in range(KW):
                i = ow * stride_w + kw - KW // 2
                mask = ((i >= 0) & (i < end) & (ow < out_voxels))[:, None] & (c < channels)[None, :]
                value = tl.load(x + (start + i)[:, None] * channels + c[None, :], mask=mask, other=0.0)
                tap = tl.load(w + c * (KD * KH * KW) + (kd * KH + kh) * KW + kw, mask=c < channels, other=0.0)
                total += value.to(tl.float32) * tap.to(tl.float32)[None, :]
    place = (line * out_voxels + ow)[:, None] * channels + c[None, :]
    mask = (ow < out_voxels)[:, None] & (c < channels)[None, :]
    tl.store(y + place, total.to(y.dtype.element_ty), mask=mask)


@triton.jit
def convolve_back(
    grad,
    w,
    grad_x,
    planes,
    lines,
    voxels,
    out_planes,
    out_lines,
    out_voxels,
    channels,
    stride_d,
    stride_h,
    stride_w,
    KD: tl.constexpr,
    KH: tl.constexpr,
    KW: tl.constexpr,
    BLOCK_W: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """The gradient of x from that of y: a program per part of a line of x and block of channels."""
    parts = tl.cdiv(voxels, BLOCK_W)
    line = (tl.program_id(0) // parts).to(tl.int64)
    i = (tl.program_id(0) % parts) * BLOCK_W + tl.arange(0, BLOCK_W)
    c = tl.program_id(1) * BLOCK_C + tl.arange(0, BLOCK_C)
    h, d, image = line % lines, line // lines % planes, line // lines // planes
    total = tl.zeros([BLOCK_W, BLOCK_C], tl.float32)
    for kd in range(KD):
        d_seen = d + KD // 2 - kd
        for kh in range(KH):
            h_seen = h + KH // 2 - kh
            od, oh = d_seen // stride_d, h_seen // stride_h
            inside = (d_seen >= 0) & (d_seen % stride_d == 0) & (od < out_planes)
            inside = inside & (h_seen >= 0) & (h_seen % stride_h == 0) & (oh < out_lines)
            end = tl.where(inside, out_voxels, 0)
            start = ((image * out_planes + od) * out_lines + oh) * out_voxels
            for kw in range(KW):
                seen = i + KW // 2 - kw
                ow = seen // stride_w
                within = (seen >= 0) & (seen % stride_w == 0) & (ow < end) & (i < voxels)
                mask = within[:, None] & (c < channels)[None, :]
                value = tl.load(grad + (start + ow)[:, None] * channels + c[None, :], mask=mask, other=0.0)
                tap = tl.load(w + c * (KD * KH * KW) + (kd * KH + kh) * KW + kw, mask=c < channels, other=0.0)
                total += value.to(tl.float32) * tap.to(tl.float32)[None, :]
    place = (line * voxels + i)[:, None] * channels + c[None, :]
    mask = (i < voxels)[:, None] & (c < channels)[None, :]
    tl.store(grad_x + place, total.to(grad_x.dtype.element_ty), mask=mask)


@triton.jit
def correlate(
    grad,
    x,
    sums,
    planes,
    lines,
    voxels,
    out_planes,
    out_lines,
    out_voxels,
    channels,
    stride_d,
    stride_h,
    stride_w,
    all_lines,
    lines_each,
    KD: tl.constexpr,
    KH: tl.constexpr,
    KW: tl.constexpr,
    TAPS: tl.constexpr,
    BLOCK_W: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """Parts of w's gradient, `(parts, KD * KH * KW, C)`: a program per `lines_each` lines of y, row of taps, block."""
    part, row = tl.program_id(0), tl.program_id(1)
    c = tl.program_id(2) * BLOCK_C + tl.arange(0, BLOCK_C)
    kd, kh, kw = row // KH, row % KH, tl.arange(0, TAPS)
    total = tl.zeros([TAPS, BLOCK_C], tl.float32)
    first_line = part.to(tl.int64) * lines_each
    for offset in range(tl.minimum(lines_each, all_lines - first_line)):
        line = first_line + offset
        oh, od, image = line % out_lines, line // out_lines % out_planes, line // out_lines // out_planes
        d, h = od * stride_d + kd - KD // 2, oh * stride_h + kh - KH // 2
        end = tl.where((d >= 0) & (d < planes) & (h >= 0) & (h < lines), voxels, 0)
        start = ((image * planes + d) * lines + h) * voxels
        for first in range(0, out_voxels, BLOCK_W):
            ow = first + tl.arange(0, BLOCK_W)
            mask = (ow < out_voxels)[:, None] & (c < channels)[None, :]
            g = tl.load(grad + (line * out_voxels + ow)[:, None] * channels + c[None, :], mask=mask, other=0.0)
            i = ow[None, :] * stride_w + kw[:, None] - KW // 2
            within = (i >= 0) & (i < end) & (kw < KW)[:, None] & (ow < out_voxels)[None, :]
            seen = within[:, :, None] & (c < channels)[None, None, :]
            value = tl.load(x + (start + i)[:, :, None] * channels + c[None, None, :], mask=seen, other=0.0)
            total += tl.sum(value.to(tl.float32) * g.to(tl.float32)[None, :, :], axis=1)
    place = (((part * KD * KH + row) * KW + kw)[:, None]) * channels + c[None, :]
    tl.store(sums + place, total, mask=(kw < KW)[:, None] & (c < channels)[None, :])
