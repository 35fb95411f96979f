"""A text classifier: sentences, or the ids of their words -> how likely each label is."""

# %% the model
import torch
from torch import Tensor, nn

LABELS = ["negative", "positive"]
VOCABULARY = {"<unknown>": 0, "bad": 1, "boring": 2, "fine": 3, "great": 4, "not": 5}


class Classifier(nn.Module):
    """Stands for yours: ids and a mask, both of [batch, words] -> scores of [batch, labels]."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(len(VOCABULARY), 16)
        self.scores = nn.Linear(16, len(LABELS))

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:  # int64; 1 where there is a word
        weights = mask.to(torch.float32).unsqueeze(2)
        mean = (self.words(ids) * weights).sum(1) / weights.sum(1).clamp(min=1)
        probabilities: Tensor = self.scores(mean).softmax(1)
        return probabilities


model = Classifier()
# model.load_state_dict(torch.load("weights.pth", weights_only=True))  # those that you trained
model.eval()


# %% .pt: TorchScript, which may split text into words by itself
class Sentences(nn.Module):
    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier
        self.vocabulary = VOCABULARY
        self.labels = LABELS

    def forward(self, texts: list[str]) -> list[dict[str, float]]:
        words = [text.lower().split() for text in texts]
        longest = max([len(each) for each in words] + [1])
        ids = torch.zeros(len(words), longest, dtype=torch.int64)
        mask = torch.zeros(len(words), longest, dtype=torch.int64)
        for at, each in enumerate(words):
            for place, word in enumerate(each):
                ids[at, place] = self.vocabulary.get(word, 0)
                mask[at, place] = 1
        answers: list[dict[str, float]] = []
        for row in self.classifier(ids, mask):
            answers.append({label: float(p) for label, p in zip(self.labels, row)})
        return answers


torch.jit.script(Sentences(model)).save("text.pt")

# %% .pt2: an exported program, which takes ids and tells the server its types and shapes
from torch.export import Dim, export, save

example = torch.tensor([[5, 4, 0], [3, 0, 0]]), torch.tensor([[1, 1, 0], [1, 0, 0]])
sizes = {0: Dim("batch", min=1, max=64), 1: Dim("words", min=1, max=512)}
save(export(model, example, dynamic_shapes={"ids": sizes, "mask": sizes}), "text.pt2")
