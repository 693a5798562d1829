"""The head network: characters convolved, pieces related by a bidirectional GRU, runs scored.

Trained with torch, written as ONNX by hand so that the file holds exactly what is run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from kie_training.heads import FIELDS, Head
from lib.kie.receipts.head_features import ALPHABET, FEATURES, LONGEST_PIECE
from lib.kie.receipts.head_network import SIGNATURE, HeadNetwork
from lib.kie.receipts.name_evidence import NAME_FEATURES

OPSET = 17
CODES = len(ALPHABET) + 2
IMPOSSIBLE = -1e4


@dataclass(frozen=True)
class Size:
    """What a network is made of, and how it is trained."""

    character: int = 24
    filters: int = 48
    numbers: int = 48
    hidden: int = 72
    dropout: float = 0.35
    epochs: int = 9
    batch: int = 24
    rate: float = 5e-3
    linear_rate: float = 2e-2
    linear_penalty: float = 0.002
    decay: float = 0.02
    lost_characters: float = 0.05
    lost_words: float = 0.1
    noise: float = 0.05
    evidence_alone: float = 0.25  # share of documents whose name is decided by its evidence alone


@dataclass(frozen=True)
class Batch:
    """Heads padded to the longest; runs are numbered first * pieces + last, "none" comes last."""

    letters: Tensor  # (documents, pieces, LONGEST_PIECE)
    numbers: Tensor  # (documents, pieces, FEATURES)
    held: Tensor  # (documents, pieces): not padding
    evidence: Tensor  # (documents, runs, NAME_FEATURES)
    possible: dict[str, Tensor]  # (documents, runs)
    right: dict[str, Tensor]  # (documents, runs + 1)
    judged: dict[str, Tensor]  # (documents)
    weight: Tensor  # (documents)


class HeadNet(nn.Module):
    """A batch to scores (documents, pieces, 6), none (documents, 2), names' evidence (.., runs)."""

    def __init__(self, size: Size, mean: Tensor, spread: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread)
        self.embed = nn.Embedding(CODES, size.character, padding_idx=0)
        self.narrow = nn.Conv1d(size.character, size.filters, 3, padding=1)
        self.wide = nn.Conv1d(size.character, size.filters, 5, padding=2)
        self.dense = nn.Linear(len(FEATURES), size.numbers)
        self.relate = nn.GRU(
            2 * size.filters + size.numbers, size.hidden, bidirectional=True, batch_first=True
        )
        self.drop = nn.Dropout(size.dropout)
        self.score = nn.Linear(2 * size.hidden, 3 * len(FIELDS))
        self.none = nn.Linear(2 * size.hidden, len(FIELDS))
        self.weigh = nn.Linear(len(NAME_FEATURES), 1, bias=False)
        nn.init.zeros_(self.weigh.weight)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        letters, numbers, held = batch.letters, batch.numbers, batch.held
        documents, pieces, length = letters.shape
        embedded = self.embed(letters.reshape(-1, length)).transpose(1, 2)
        read = [torch.relu(conv(embedded)).amax(2) for conv in (self.narrow, self.wide)]
        known = ((numbers - self.mean) / self.spread).clamp(-4, 4)
        parts = [part.reshape(documents, pieces, -1) for part in read]
        seen = torch.cat([*parts, torch.relu(self.dense(known))], 2)
        packed = nn.utils.rnn.pack_padded_sequence(
            self.drop(seen), held.sum(1).cpu(), batch_first=True, enforce_sorted=False
        )
        related, _ = nn.utils.rnn.pad_packed_sequence(
            self.relate(packed)[0], batch_first=True, total_length=pieces
        )
        related = self.drop(related)
        top = related.masked_fill(~held[:, :, None], IMPOSSIBLE).amax(1)
        return self.score(related), self.none(top), self.weigh(batch.evidence)[..., 0]


def train(heads: Sequence[Head], weights: Sequence[float], size: Size, seed: int) -> HeadNet:
    """A network fitted on heads that weigh as said; the same arguments give the same network."""
    torch.manual_seed(seed)
    chance = np.random.default_rng(seed)
    every = np.concatenate([head.features.numbers for head in heads])
    mean, spread = torch.tensor(every.mean(0)), torch.tensor(every.std(0) + 0.05)
    net = HeadNet(size, mean, spread)
    linear = list(net.weigh.parameters())
    others = [p for name, p in net.named_parameters() if not name.startswith("weigh.")]
    groups = [{"params": others}, {"params": linear, "weight_decay": 0.0}]
    rates = [size.rate, size.linear_rate]
    optimiser = torch.optim.AdamW(groups, size.rate, weight_decay=size.decay)
    steps = size.epochs * -(-len(heads) // size.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, total_steps=steps + 1)
    net.train()
    for _ in range(size.epochs):
        order = chance.permutation(len(heads))
        for start in range(0, len(order), size.batch):
            chosen = order[start : start + size.batch]
            batch = collate([heads[i] for i in chosen], [weights[i] for i in chosen])
            optimiser.zero_grad()
            alone = torch.from_numpy(chance.random(len(chosen)) < size.evidence_alone)
            loss = loss_of(net, disturbed(batch, size, chance), alone)
            loss = loss + size.linear_penalty * net.weigh.weight.square().sum()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
    return net.eval()


def train_reader(heads: Sequence[Head], weights: Sequence[float], seed: int) -> HeadNetwork:
    """A trained network as the product runs it."""
    torch.set_num_threads(1)
    return HeadNetwork(to_onnx(train(heads, weights, Size(), seed), {"seed": str(seed)}))


def collate(heads: Sequence[Head], weights: Sequence[float]) -> Batch:
    """Heads padded to the longest one."""
    pieces = max(len(head.texts) for head in heads)
    runs = pieces * pieces
    letters = torch.zeros(len(heads), pieces, LONGEST_PIECE, dtype=torch.long)
    numbers = torch.zeros(len(heads), pieces, len(FEATURES))
    held = torch.zeros(len(heads), pieces, dtype=torch.bool)
    evidence = torch.zeros(len(heads), runs, len(NAME_FEATURES))
    possible = {f: torch.zeros(len(heads), runs, dtype=torch.bool) for f in FIELDS}
    right = {f: torch.zeros(len(heads), runs + 1, dtype=torch.bool) for f in FIELDS}
    judged = {f: torch.zeros(len(heads), dtype=torch.bool) for f in FIELDS}
    for row, head in enumerate(heads):
        count = len(head.texts)
        letters[row, :count] = torch.from_numpy(head.features.letters)
        numbers[row, :count] = torch.from_numpy(head.features.numbers)
        held[row, :count] = True
        names = [run.first * pieces + run.last for run in head.features.names]
        evidence[row, names] = torch.from_numpy(head.features.evidence)
        possible["vendor_name"][row, names] = True
        homes = [run.first * pieces + run.last for run in head.features.addresses]
        possible["vendor_address"][row, homes] = True
        for field, label in head.labels.items():
            if label is not None:
                judged[field][row] = True
                right[field][row, [run.first * pieces + run.last for run in label.runs]] = True
                right[field][row, -1] = label.none
    weight = torch.tensor(weights)
    return Batch(letters, numbers, held, evidence, possible, right, judged, weight)


def disturbed(batch: Batch, size: Size, chance: np.random.Generator) -> Batch:
    """The batch as if it were read worse: letters and whole words unknown, numbers a bit off."""
    letters = batch.letters.clone()
    shape = tuple(letters.shape)
    lost = torch.from_numpy(chance.random(shape) < size.lost_characters)
    # The letters of a word share one throw of the dice: that of the number of spaces before it.
    words = (letters == CODE_OF_SPACE).cumsum(2)
    lost |= torch.gather(torch.from_numpy(chance.random(shape) < size.lost_words), 2, words)
    letters[lost & (letters > 0) & (letters != CODE_OF_SPACE)] = 1
    shake = torch.from_numpy(chance.normal(0, size.noise, tuple(batch.numbers.shape))).float()
    return replace(batch, letters=letters, numbers=batch.numbers + shake)


CODE_OF_SPACE = ALPHABET.index(" ") + 2


def run_scores(scores: Tensor) -> Tensor:
    """Scores (documents, pieces, 3) of one field to those of all runs, (documents, pieces^2)."""
    begins, goes_on, ends = scores.unbind(2)
    joined = goes_on.cumsum(1)
    whole = begins[:, :, None] + joined[:, None, :] - joined[:, :, None] + ends[:, None, :]
    return whole.flatten(1)


def loss_of(net: HeadNet, batch: Batch, alone: Tensor) -> Tensor:
    """Mean negative log share of the right runs (or of none), over judged fields.

    Where `alone` is set, the name's evidence has to do without the pieces' scores: the few weights
    of the evidence generalise, and would learn nothing beside a network that knows its documents.
    """
    scores, none, evidence = net(batch)
    whole = torch.zeros(())
    for index, field in enumerate(FIELDS):
        own = run_scores(scores[:, :, 3 * index : 3 * index + 3])
        if field == "vendor_name":
            own = own.masked_fill(alone[:, None], 0.0) + evidence
        own = own.masked_fill(~batch.possible[field], IMPOSSIBLE)
        shares = torch.cat([own, none[:, index : index + 1]], 1).log_softmax(1)
        among = shares.masked_fill(~batch.right[field], IMPOSSIBLE).logsumexp(1)
        whole = whole - (among * batch.judged[field] * batch.weight).sum()
    return whole / len(batch.weight)


def to_onnx(net: HeadNet, metadata: dict[str, str]) -> bytes:
    """The network as a file: letters, numbers, evidence in, scores, none, evidence weighed out."""
    graph = _Graph()
    weights = {name: value.detach().numpy() for name, value in net.state_dict().items()}
    embedded = graph.node("Gather", graph.hold(weights["embed.weight"]), "letters")
    planes = graph.node("Transpose", embedded, perm=[0, 2, 1])
    read = []
    for name, reach in (("narrow", 1), ("wide", 2)):
        held = [graph.hold(weights[f"{name}.{part}"]) for part in ("weight", "bias")]
        convolved = graph.node("Conv", planes, *held, pads=[reach, reach])
        read.append(graph.node("ReduceMax", graph.node("Relu", convolved), axes=[2], keepdims=0))
    off = graph.node("Sub", "numbers", graph.hold(weights["mean"]))
    scaled = graph.node("Div", off, graph.hold(weights["spread"]))
    bounds = [graph.hold(np.array(bound, np.float32)) for bound in (-4, 4)]
    dense = graph.linear(graph.node("Clip", scaled, *bounds), weights, "dense")
    seen = graph.node("Concat", *read, graph.node("Relu", dense), axis=1)
    related = graph.gru(graph.node("Unsqueeze", seen, graph.hold(np.array([1]))), weights)
    none = graph.linear(graph.node("ReduceMax", related, axes=[0], keepdims=1), weights, "none")
    graph.node("Identity", graph.linear(related, weights, "score"), output="scores")
    graph.node("Reshape", none, graph.hold(np.array([len(FIELDS)])), output="none")
    summed = graph.hold(weights["weigh.weight"][0])
    graph.node("MatMul", "evidence", summed, output="weighed")
    return graph.model(metadata)


class _Graph:
    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.held: list[onnx.TensorProto] = []

    def hold(self, array: NDArray[np.generic]) -> str:
        name = f"weight{len(self.held)}"
        self.held.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: object) -> str:
        name = output or f"value{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def linear(self, value: str, weights: dict[str, NDArray[np.float32]], name: str) -> str:
        held = self.hold(weights[f"{name}.weight"]), self.hold(weights[f"{name}.bias"])
        return self.node("Gemm", value, *held, transB=1)

    def gru(self, sequence: str, weights: dict[str, NDArray[np.float32]]) -> str:
        """(pieces, 1, n) to (pieces, 2 * hidden). ONNX orders the gates z, r, h; torch r, z, h."""

        def both(kind: str) -> NDArray[np.float32]:
            found = []
            for side in ("", "_reverse"):
                r, z, h = np.split(weights[f"relate.{kind}_l0{side}"], 3)
                found.append(np.concatenate([z, r, h]))
            return np.stack(found)

        hidden = weights["relate.weight_hh_l0"].shape[1]
        bias = np.concatenate([both("bias_ih"), both("bias_hh")], 1)
        held = [self.hold(array) for array in (both("weight_ih"), both("weight_hh"), bias)]
        out = self.node(
            "GRU",
            sequence,
            *held,
            direction="bidirectional",
            hidden_size=hidden,
            linear_before_reset=1,
        )  # (pieces, 2, 1, hidden)
        return self.node("Reshape", out, self.hold(np.array([-1, 2 * hidden])))

    def model(self, metadata: dict[str, str]) -> bytes:
        def info(name: str, kind: int, shape: list[object]) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, kind, shape)

        graph = helper.make_graph(
            self.nodes,
            "receipt_head",
            [
                info("letters", TensorProto.INT64, ["pieces", LONGEST_PIECE]),
                info("numbers", TensorProto.FLOAT, ["pieces", len(FEATURES)]),
                info("evidence", TensorProto.FLOAT, ["names", len(NAME_FEATURES)]),
            ],
            [
                info("scores", TensorProto.FLOAT, ["pieces", 3 * len(FIELDS)]),
                info("none", TensorProto.FLOAT, [len(FIELDS)]),
                info("weighed", TensorProto.FLOAT, ["names"]),
            ],
            self.held,
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        made.ir_version = 8
        helper.set_model_props(made, {**SIGNATURE, **metadata})
        onnx.checker.check_model(made)
        return made.SerializeToString(deterministic=True)
