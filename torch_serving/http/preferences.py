"""Headers that tell what a client likes best, as `gzip;q=0.5, deflate`."""


def weights_of(header: str) -> dict[str, float]:
    """The items of a header of preferences, with their weights. A bad weight counts as 0."""
    weights = {}
    for item in header.split(","):
        name, _, parameters = item.partition(";")
        weights[name.strip().lower()] = weight_of(parameters)
    return weights


def weight_of(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
