"""DAT and DRA under the names of UDTransNet's published state dictionary."""

from typing import TYPE_CHECKING

import torch
from torch import nn

from nnunet_skipx.kernels.instance_norm_attention import channel_attention_weights, normed_queries_and_keys
from nnunet_skipx.skips.blocks import BlockOps
from nnunet_skipx.skips.dat import DAT
from nnunet_skipx.skips.dat_layer import DATLayer, DATOptions, Merge
from nnunet_skipx.skips.dra import DRA, Recalibration
from nnunet_skipx.skips.token_grid import TokenGrid

if TYPE_CHECKING:
    from tests.parity import Reference

BATCH_NORM = ("weight", "bias", "running_mean", "running_var")


def source_ops(map_: torch.Tensor) -> BlockOps:
    """The source's own op types, batch norm and ReLU, for a map in 2D or 3D."""
    flat = map_.ndim == 4
    return BlockOps(nn.Conv2d if flat else nn.Conv3d, nn.BatchNorm2d if flat else nn.BatchNorm3d, None, nn.ReLU, None)


def build_dat(reference: "Reference", merge: Merge) -> DAT:
    """Our DAT for the configuration in the file, with its parameters, in evaluation mode."""
    config = reference.meta["config"]
    finest = reference.values["in/e1"]
    size = finest.shape[2:]
    patches = tuple((p,) * len(size) for p in config["patch_sizes"])
    grid = TokenGrid(tuple(n // p for n, p in zip(size, patches[0], strict=True)), patches)
    embedding, heads, layers = config["embedding"], config["heads"], config["layers"]
    module = DAT(source_ops(finest), config["channels"], grid, DATOptions(embedding, heads, layers, merge=merge))
    copy(dat_by_reference_name(module), reference)
    return module.double().eval()


def dat_by_reference_name(module: DAT) -> dict[str, torch.Tensor]:
    """Views of our parameters under the reference's names; our scales are stacked, theirs are separate."""
    named: dict[str, torch.Tensor] = {}

    def add(name: str, layer: nn.Module, scale: int | None = None) -> None:
        for key, value in layer.named_parameters():
            named[f"{name}.{key}"] = value.detach() if scale is None else value.detach()[scale]

    for s in range(len(module.patches)):
        k = s + 1
        add(f"embeddings_{k}.patch_embeddings", module.patches[s])
        named[f"embeddings_{k}.position_embeddings"] = module.positions.detach()[s : s + 1]
        add(f"encoder.encoder_norm{k}", module.norm, s)
        for n, layer in enumerate(module.layers):
            prefix = f"encoder.layer.{n}"
            add(f"{prefix}.attn_norm{k}", layer.norm, s)
            add(f"{prefix}.ffn_norm{k}", layer.feed_forward_norm, s)
            add(f"{prefix}.channel_attn.query{k}", layer.selection.query, s)
            add(f"{prefix}.channel_attn.out{k}", layer.project, s)
            add(f"{prefix}.ffn{k}.fc1", layer.feed_forward.expand, s)
            add(f"{prefix}.ffn{k}.fc2", layer.feed_forward.project, s)
    for n, layer in enumerate(module.layers):
        prefix = f"encoder.layer.{n}"
        add(f"{prefix}.attn_norm_C", layer.joint_norm)
        for name in ("query", "key", "value"):
            add(f"{prefix}.channel_attn.{name}_C", getattr(layer.fusion, name))
        for name in ("key", "value"):
            add(f"{prefix}.channel_attn.{name}", getattr(layer.selection, name))
    return named


def copy(ours: dict[str, torch.Tensor], reference: "Reference") -> None:
    """Copy every parameter of the file into ours; both must have the same names."""
    theirs = reference.group("param")
    if ours.keys() != theirs.keys():
        raise ValueError(f"parameter names differ: {sorted(ours.keys() ^ theirs.keys())}")
    for name, value in theirs.items():
        if ours[name].shape != value.shape:
            raise ValueError(f"{name}: our shape is {tuple(ours[name].shape)}, the file's {tuple(value.shape)}")
        ours[name].copy_(value)


@torch.no_grad()
def evaluate_dat(reference: "Reference") -> dict[str, torch.Tensor]:
    """Outputs with both merges, and all intermediate values (published merge) under the reference's keys."""
    scales = range(len(reference.meta["config"]["channels"]))
    inputs = [reference.values[f"in/e{s + 1}"] for s in scales]
    published, repaired = build_dat(reference, "published"), build_dat(reference, "repaired")
    values = {f"out64/o{s + 1}": x for s, x in enumerate(published(inputs))}
    values |= {f"out64/o{s + 1}_fixed": x for s, x in enumerate(repaired(inputs))}
    tokens = published.embed(inputs)
    values |= {f"mid/emb{s + 1}": x for s, x in enumerate(tokens)}
    values |= attention_of(published.layers[0], tokens)
    for n, layer in enumerate(published.layers):
        tokens = layer(tokens)
        values |= {f"mid/layer{n}_x{s + 1}": x for s, x in enumerate(tokens)}
    return values


def attention_of(layer: DATLayer, tokens: torch.Tensor) -> dict[str, torch.Tensor]:
    """The first layer's attention matrices and its keys' and values' input."""
    joint = layer.joint_norm(torch.cat(list(tokens), 2))
    fused = layer.fusion(joint).flatten(1, 2)
    selection = layer.selection
    queries, keys = normed_queries_and_keys(
        selection.split_heads(selection.query(layer.norm(tokens))), selection.split_heads(selection.key(fused))
    )
    weights = torch.softmax(queries @ keys.mT, -1)
    return {
        "mid/layer0_channel_attn": channel_attention_weights(layer.fusion.query(joint), layer.fusion.key(joint)),
        "mid/layer0_kv": fused,
    } | {f"mid/layer0_spatial_attn{s + 1}": x for s, x in enumerate(weights)}


def build_dra(reference: "Reference", recalibration: Recalibration) -> DRA:
    """Our DRA for the configuration in the file, with its parameters, in evaluation mode."""
    config = reference.meta["config"]
    decoder_map = reference.values["in/decoder"]
    patch = (config["patch"],) * (decoder_map.ndim - 2)
    channels, embedding = (config["decoder_dim"], config["skip_dim"]), config["embedding"]
    module = DRA(source_ops(decoder_map), *channels, patch, embedding, recalibration)
    layers = {
        "patch_embeddings": module.patches,
        "conv.0": module.mask_conv,
        "conv.1": module.mask_norm,
        "query": module.query,
        "key": module.key,
        "value": module.value,
        "out": module.project,
        "reconstruct.conv": module.restore_conv,
        "reconstruct.norm": module.restore_norm,
    }
    copy(
        {
            f"{name}.{key}": getattr(layer, key).detach()
            for name, layer in layers.items()
            for key in BATCH_NORM
            if getattr(layer, key, None) is not None
        },
        reference,
    )
    return module.double().eval()


@torch.no_grad()
def evaluate_dra(reference: "Reference", recalibration: Recalibration) -> dict[str, torch.Tensor]:
    """The output and all intermediate values under the reference's keys."""
    module = build_dra(reference, recalibration)
    decoder_map, tokens = reference.values["in/decoder"], reference.values["in/trans"]
    patches = module.patches(decoder_map)
    decoder_tokens = patches.flatten(2).mT
    q, k = module.query(decoder_tokens), module.key(tokens)
    if recalibration == "channel":
        similarity = channel_attention_weights(q, k)
    else:
        queries, keys = normed_queries_and_keys(q[None, :, None], k[:, None])
        similarity = torch.softmax(queries @ keys.mT, -1)[0, :, 0]
    return {
        "out64/o": module(decoder_map, tokens),
        "mid/decoder_mask": module.mask(decoder_map),
        "mid/patches": patches,
        "mid/similarity": similarity,
        "mid/tokens_out": module.recalibrate(decoder_tokens, tokens),
    }


def evaluate_dra_channel(reference: "Reference") -> dict[str, torch.Tensor]:
    """The channel-wise DRA."""
    return evaluate_dra(reference, "channel")


def evaluate_dra_spatial(reference: "Reference") -> dict[str, torch.Tensor]:
    """The spatial DRA."""
    return evaluate_dra(reference, "spatial")


CASES = {
    "udtransnet_dat": evaluate_dat,
    "udtransnet_dra_c": evaluate_dra_channel,
    "udtransnet_dra_s": evaluate_dra_spatial,
}
