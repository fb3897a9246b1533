"""The tests that every network and every trainer of the package must pass; a failure says what to change.

class TestSESkips(NetworkContract, TrainerContract):
    network = SESkips
    trainer = "nnUNetTrainerSESkips"
    options = {"reduction": 2}

`options` are arguments of the network for the few channels of these tests, where its own may leave nothing to compute.
Plans of a real size are tested without them. docs/add_a_mechanism.md goes through it.
"""

import functools
import pickle
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend

from nnunet_skipx.architectures import NETWORKS, PlannedUNet, SkipUNet, U2Net
from nnunet_skipx.counting import built_to_count
from nnunet_skipx.planning.networks import trainer_of
from nnunet_skipx.skips.per_image import PerImage, spread_between_images
from nnunet_skipx.training.trainer import SkipTrainer
from nnunet_skipx.training.twins import Budget, count
from nnunet_skipx.training.variants import options_of, trainer_class
from tests.plan_shapes import PLANNED, SHAPES, PlanShape, dataset_json, plans

SMALL = PlanShape((16, 24, 16), (1, 1, 1), 3)
SMALL_2D = PlanShape((32, 24), (1, 1), 3)
PLAN_ATTRIBUTES = {"patch_size": "patch"}  # what the plans call it: what PlanShape calls it


class NetworkContract:
    """Inherit and set `network`, and `options` if need be."""

    network: ClassVar[type[PlannedUNet] | type[U2Net]]
    options: ClassVar[dict[str, Any]] = {}

    def build(
        self, shape: PlanShape, channels: int = 1, classes: int = 3, deep: bool = True, seed: int = 0, **plan: Any
    ) -> nn.Module:
        torch.manual_seed(seed)
        from_plan = {key: getattr(shape, PLAN_ATTRIBUTES[key]) for key in self.network.plan_arguments}
        return self.network(channels, classes, deep, **self.options, **from_plan, **shape.architecture(**plan))

    def test_plans_can_name_it(self) -> None:
        name = self.network.__name__
        cure = f"plans name {name} as nnunet_skipx.architectures.{name}: it belongs into {name.lower()}.py there"
        assert NETWORKS.get(name) is self.network, cure

    @pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
    @pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
    def test_logits_have_the_size_of_every_decoder_stage(self, shape: PlanShape, residual: bool) -> None:
        network = self.build(shape, residual=residual)
        with torch.no_grad():
            logits = network(torch.randn(1, 1, *shape.patch))
        stock = (ResidualEncoderUNet if residual else PlainConvUNet)(
            input_channels=1, num_classes=3, deep_supervision=True, **shape.architecture(residual=residual)
        )
        with torch.no_grad():
            expected = [x.shape for x in stock(torch.randn(1, 1, *shape.patch))]
        assert [x.shape for x in logits] == expected, "nnU-Net's decoder needs every skip in the shape that it had"

    @pytest.mark.parametrize("stages", range(3, 9))
    def test_builds_with_3_to_8_stages(self, stages: int) -> None:
        shape = PlanShape((32, 32), (1, 1), stages)
        logits = self.build(shape)(torch.randn(2, 1, 32, 32))
        assert len(logits) == stages - 1

    @pytest.mark.parametrize("shape", [SMALL, SMALL_2D], ids=["3d", "2d"])
    def test_an_image_of_any_size_has_logits_of_its_size(self, shape: PlanShape) -> None:
        network = self.build(shape).eval()
        x = torch.randn(1, 1, *(size + 3 for size in shape.patch))  # 4 would do: three stages halve twice
        with torch.no_grad():
            found = network(x)
            expected = network(torch.nn.functional.pad(x, (0, 1) * len(shape.patch), mode="replicate"))
        cure = "put @any_size (architectures/any_size.py) on the network's forward"
        assert found[0].shape[2:] == x.shape[2:], cure
        for ours, theirs in zip(found, expected, strict=True):
            inside = tuple(slice(n) for n in ours.shape)
            assert torch.equal(ours, theirs[inside]), cure

    @pytest.mark.parametrize("channels", [1, 4])
    def test_takes_1_and_4_input_channels_and_any_batch(self, channels: int) -> None:
        network = self.build(SMALL, channels=channels, deep=False)
        for batch in (1, 3):
            assert network(torch.randn(batch, channels, *SMALL.patch)).shape == (batch, 3, *SMALL.patch)

    def test_deep_supervision_changes_no_key_and_no_full_resolution_logit(self) -> None:
        deep, shallow = self.build(SMALL, deep=True).eval(), self.build(SMALL, deep=False).eval()
        changed = deep.state_dict().keys() ^ shallow.state_dict().keys()
        assert not changed, (
            f"{changed} depend on deep supervision, which nnU-Net switches off to predict: make them always"
        )
        shallow.load_state_dict(deep.state_dict())
        x = torch.randn(1, 1, *SMALL.patch)
        torch.testing.assert_close(deep(x)[0], shallow(x))

    @pytest.mark.parametrize("norm", ["instance", "batch"])
    @pytest.mark.parametrize("shape", [SMALL, SMALL_2D], ids=["3d", "2d"])
    def test_gradients_reach_every_parameter(self, shape: PlanShape, norm: str) -> None:
        network = self.build(shape, norm=norm)
        sum((x.float() ** 2).mean() for x in network(torch.randn(2, 1, *shape.patch))).backward()
        without = [name for name, p in network.named_parameters() if p.grad is None]
        assert not without, f"no gradient reaches {without}: use them in forward, or do not make them"
        zero = {name for name, p in network.named_parameters() if not p.grad.abs().max() > 0}
        dead = {name for name in zero - self.may_have_zero_gradient() if not name.endswith("bias")}
        cure = (
            "give options that leave more channels, or name them in may_have_zero_gradient if that is as it should be"
        )
        assert not dead, f"at these widths the gradient of {sorted(dead)} is 0: {cure}"

    @pytest.mark.parametrize("shape", [SMALL, SMALL_2D], ids=["3d", "2d"])
    def test_gates_see_as_much_of_the_image_as_behind_batch_norm(self, shape: PlanShape) -> None:
        share = self.build(shape).gates_spread
        spreads = {norm: self.spread_of_gates(shape, norm) for norm in ("instance", "batch")}
        if share is None:
            assert not any(spreads["instance"].values()), (
                "gates depend on the image, but gates_spread = None says that none does: leave gates_spread out"
            )
            return
        assert spreads["instance"], (
            "no gates are seen: pass what depends on the image through a PerImage module (skips/per_image.py), or say "
            "gates_spread = None if nothing does"
        )
        instance, batch = (sum(spreads[norm].values()) for norm in ("instance", "batch"))
        assert instance > share * batch, (
            f"between images gates differ by {instance:.2g} behind instance norm and by {batch:.2g} behind batch norm, "
            f"less than {share:g} of it: the norm takes what they look at, docs/norms_and_gates.md says what helps "
            "(Amplified of skips/image_level.py)"
        )

    def spread_of_gates(self, shape: PlanShape, norm: str) -> dict[str, float]:
        """Spread between images of all that the network chooses by the image, in training, mean over two starts."""
        images, spreads = unlike_images(shape), defaultdict(float)
        for seed in range(2):
            network = self.build(shape, norm=norm, seed=seed).train()
            for name, module in network.named_modules():
                if isinstance(module, PerImage):
                    module.register_forward_hook(
                        lambda _, inputs, output, name=name: spreads.update(
                            {name: spreads[name] + spread_between_images(output) / 2}
                        )
                    )
            with torch.no_grad():
                network(images)
        return spreads

    def may_have_zero_gradient(self) -> set[str]:
        """Parameters whose gradient vanishes for a given batch by design."""
        return set()

    @pytest.mark.parametrize(
        ("shape", "training"), [(SMALL, True), (SMALL_2D, False)], ids=["3d, training", "2d, evaluation"]
    )
    @pytest.mark.slow
    def test_is_one_graph_that_computes_the_same(self, shape: PlanShape, training: bool) -> None:
        network = self.build(shape).train(training)
        x = torch.randn(2, 1, *shape.patch)
        # a break of the graph shows in its capture; the backward graph is taken once per network, in 3D
        counter = CompileCounterWithBackend("aot_eager" if training and not self.options else "eager")
        compiled = torch.compile(network, fullgraph=True, backend=counter)
        outputs, gradients = [], []
        for run in (compiled, network):
            network.zero_grad()
            logits = run(x)
            sum(y.square().mean() for y in logits).backward()
            outputs.append([y.detach() for y in logits])
            gradients.append([p.grad.clone() for p in network.parameters()])
        torch.testing.assert_close(*outputs, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-4)
        assert counter.frame_count == 1, (
            "it is compiled again for the same shapes: keep numbers of a step out of forward"
        )
        if not training and not self.options:  # the decoder, whose switch it is, is the same with all options
            self.check_toggling(network, compiled, x)
            assert counter.frame_count == 2, "deep supervision may cost one compilation, not more"

    def check_toggling(self, network: nn.Module, compiled: Callable, x: torch.Tensor) -> None:
        """Deep supervision off and on, as nnU-Net switches it for validation."""
        for deep in (False, True, False):
            network.decoder.deep_supervision = deep
            ours, expected = compiled(x), network(x)
            assert isinstance(ours, list if deep else torch.Tensor)
            torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)

    def test_bfloat16_autocast_stays_finite_and_close(self) -> None:
        network = self.build(SMALL, deep=False)
        x = torch.randn(2, 1, *SMALL.patch)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = network(x)
        half.float().mean().backward()
        cure = (
            "compute sums over many numbers, exponentials and quotients in float32 (torch.autocast with enabled=False)"
        )
        assert half.isfinite().all(), f"logits are not finite: {cure}"
        bad = [name for name, p in network.named_parameters() if p.grad is not None and not p.grad.isfinite().all()]
        assert not bad, f"gradients of {bad} are not finite: {cure}"
        full = network(x)
        off = float(((half - full).abs().mean() / full.abs().mean()).detach())
        assert off < 0.1, f"bfloat16 changes logits by {off:.0%}: {cure}"

    def test_state_dict_round_trip(self) -> None:
        first, second = self.build(SMALL).eval(), self.build(SMALL).eval()
        for p in second.parameters():
            nn.init.normal_(p)
        second.load_state_dict(first.state_dict())
        x = torch.randn(1, 1, *SMALL.patch)
        torch.testing.assert_close(first(x), second(x))

    @pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
    def test_a_stock_checkpoint_lacks_only_the_mechanism(self, residual: bool) -> None:
        stock_class = ResidualEncoderUNet if residual else PlainConvUNet
        arguments = SMALL.architecture(residual=residual)
        stock = stock_class(input_channels=1, num_classes=3, deep_supervision=True, **arguments)
        result = self.build(SMALL, residual=residual).load_state_dict(stock.state_dict(), strict=False)
        assert not result.unexpected_keys, (
            "stock parts are gone or have other names: take them from SkipUNet as they are"
        )
        assert result.missing_keys, "there is no mechanism: assign it to self.skips"
        elsewhere = [key for key in result.missing_keys if not key.startswith("skips.")]
        assert not elsewhere, f"{elsewhere} are no stock parts: all of a mechanism goes into self.skips"

    def test_two_stages_with_deep_supervision_are_refused_at_build(self) -> None:
        with pytest.raises(ValueError, match="2 stages"):
            self.build(PlanShape((16, 16), (1, 1), 2))

    def test_the_planners_estimate_counts_more_than_the_stock_network(self) -> None:
        arguments = SMALL.architecture()
        stock = PlainConvUNet(input_channels=1, num_classes=3, deep_supervision=True, **arguments)
        ours = self.build(SMALL).compute_conv_feature_map_size(SMALL.patch)
        assert ours > stock.compute_conv_feature_map_size(SMALL.patch), (
            "the mechanism's maps are not counted: add them in compute_conv_feature_map_size, or `skipx plan --vram` "
            "takes its memory for nothing"
        )


def unlike_images(shape: PlanShape, count: int = 12) -> torch.Tensor:
    """Images `(count, 1, *patch)` with other blobs, contrast and noise each, z-scored as nnU-Net does."""
    generator = torch.Generator().manual_seed(0)
    axes = torch.meshgrid(*[torch.linspace(-1, 1, n) for n in shape.patch], indexing="ij")
    images = []
    for _ in range(count):
        noise, *blobs = torch.rand(4, len(shape.patch) + 2, generator=generator)
        image = noise[0] * torch.randn(shape.patch, generator=generator)
        for radius, height, *centre in blobs:
            distance = sum((axis - (1.6 * c - 0.8)) ** 2 for axis, c in zip(axes, centre, strict=True))
            image += 3 * height * (distance < (0.1 + 0.5 * radius) ** 2)
        images.append((image - image.mean()) / image.std())
    return torch.stack(images)[:, None]


class TrainerContract:
    """Inherit and set `trainer`, the name a user types, and `options` or `small` if need be.

    `small` is a plan with as many stages as it takes to tell the trainer's twins apart.
    """

    trainer: ClassVar[str]
    options: ClassVar[dict[str, Any]] = {}
    small: ClassVar[PlanShape] = SMALL

    @property
    def trainer_type(self) -> type[SkipTrainer]:
        return trainer_class(self.trainer)

    @property
    def has_twin(self) -> bool:
        return self.trainer_type.twin is not None

    @property
    def twins(self) -> list[str]:
        """The options that make a twin of the trainer."""
        kinds = ("twin", "flopstwin", "without-")
        return [option for option in options_of(self.trainer_type) if option.startswith(kinds)]

    @pytest.mark.parametrize("suffix", ["", "_twin", "_5epochs", "_twin_bf16_7epochs", "_adamw"])
    def test_nnunets_resolver_finds_the_same_class_each_time_and_it_pickles(self, suffix: str) -> None:
        if not self.has_twin:
            suffix = suffix.replace("_twin", "")
        found = recursive_find_trainer_class_by_name(self.trainer + suffix)
        assert found.__name__ == self.trainer + suffix
        assert recursive_find_trainer_class_by_name(self.trainer + suffix) is found
        assert pickle.loads(pickle.dumps(found)) is found

    def test_its_network_is_planned_for_by_a_trainer_of_that_name(self) -> None:
        network = self.trainer_type.architecture
        planned_for = getattr(trainer_of(network.__name__), "architecture", None)
        assert planned_for is network, f"`skipx plan -a {network.__name__}` asks nnUNetTrainer{network.__name__}"

    def test_stage2_exists_where_there_is_a_stock_unet_to_freeze(self) -> None:
        if issubclass(self.trainer_type.architecture, SkipUNet):
            assert issubclass(trainer_class(f"{self.trainer}_stage2"), self.trainer_type)
        else:
            with pytest.raises(ValueError, match="no stock U-Net"):
                trainer_class(f"{self.trainer}_stage2")

    @pytest.mark.parametrize("residual", [False, True], ids=["plain", "residual"])
    def test_the_twin_and_every_option_of_its_own_change_the_network(self, residual: bool) -> None:
        x = torch.randn(1, 1, *self.small.patch)

        def logits(name: str) -> torch.Tensor:
            torch.manual_seed(0)
            network = self.planned(name, self.small, residual=residual).eval()
            with torch.no_grad():
                for p in network.parameters():
                    if not p.any():  # norms at the end of residual blocks start at zero and would hide the stages
                        p.fill_(0.5)
                return network(x)

        plain = logits(self.trainer)
        assert torch.equal(plain, logits(self.trainer))
        for option in (*self.twins, *self.trainer_type.own_options):
            if trainer_class(f"{self.trainer}_{option}").architecture_kwargs:  # else it changes the training only
                assert (logits(f"{self.trainer}_{option}") - plain).abs().max() > 1e-6, (
                    f"{self.trainer}_{option} computes what {self.trainer} computes at these widths: give options or a "
                    "`small` plan that leave the mechanism something to do, or take the option out"
                )

    def test_nnunets_largest_plans_are_built_within_2_seconds(self) -> None:
        shape = PlanShape((128, 128, 128), (1, 1, 1), 6, features=32)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        start = time.process_time()
        self.planned(self.trainer, shape)
        seconds = time.process_time() - start
        torch.set_num_threads(threads)
        assert seconds < 2, f"{seconds:.1f} s: start parameters with torch's own functions, and none of them twice"

    def test_a_misspelt_variant_lists_what_exists(self) -> None:
        with pytest.raises(ValueError, match=r"(?s)_twn.*_bf16"):
            recursive_find_trainer_class_by_name(f"{self.trainer}_twn")

    @pytest.mark.parametrize(("shape", "residual"), PLANNED.values(), ids=PLANNED.keys())
    @pytest.mark.slow
    def test_every_twin_has_the_budget_that_it_names(self, shape: PlanShape, residual: bool) -> None:
        @functools.cache
        def counted(name: str, budget: Budget) -> int:
            with built_to_count():
                network = self.planned(name, shape, residual=residual)
            return count(network, budget, (1, 1, *shape.patch))

        for twin in self.twins:
            budgets: list[Budget] = ["operations" if twin == "flopstwin" else "parameters"]
            if twin == "twin" and "flopstwin" not in self.twins:
                budgets.append("operations")  # which is why there is no other for them
            for budget in budgets:
                ratio = counted(f"{self.trainer}_{twin}", budget) / counted(self.trainer, budget)
                assert abs(ratio - 1) < 0.05, (
                    f"_{twin} has {ratio:.3f} of the {budget}: say resizes=True, so that its widths make up for it"
                    + (", or leave matches_operations out" if budget == "operations" and twin == "twin" else "")
                )

    def planned(self, trainer: str, shape: PlanShape, deep: bool = False, **architecture: Any) -> nn.Module:
        """A variant's network on plans that hold `options` where they have few channels."""
        content = plans(shape, **architecture)
        if shape in (self.small, SMALL, SMALL_2D):
            content["configurations"]["test"]["architecture"]["arch_kwargs"] |= self.options
        manager = PlansManager(content)
        return trainer_class(trainer).build_network_architecture(manager, manager.get_configuration("test"), 1, 3, deep)

    @pytest.mark.parametrize("shape", [SMALL, SMALL_2D], ids=["3d", "2d"])
    def test_nnunets_predictor_slides_over_a_larger_image(self, shape: PlanShape) -> None:
        torch.manual_seed(0)
        network = self.planned(self.trainer, shape)
        manager = PlansManager(plans(shape))
        predictor = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False, use_mirroring=False)
        predictor.manual_initialization(
            network, manager, manager.get_configuration("test"), None, dataset_json(), self.trainer, None
        )
        slices = () if len(shape.patch) == 3 else (2,)
        spatial = (*slices, *(size + 5 for size in shape.patch))
        logits = predictor.predict_sliding_window_return_logits(torch.randn(1, *spatial))
        assert logits.shape == (3, *spatial)
        assert logits.isfinite().all()

    def test_plans_of_another_kind_of_network_are_refused(self) -> None:
        other = plans(SMALL)
        other["configurations"]["test"]["architecture"]["network_class_name"] = "somewhere.Primus"
        manager = PlansManager(other)
        with pytest.raises(ValueError, match="Primus"):
            self.trainer_type.build_network_architecture(manager, manager.get_configuration("test"), 1, 3, False)
