"""Flask by hand: orjson, numpy, and the model in the thread that reads the request."""

import os

import numpy as np
import orjson
import torch
from flask import Flask, Response, request

torch.set_num_threads(1)
model = torch.jit.load(os.environ["MODEL"])
app = Flask(__name__)


@app.post("/predict")
def predict() -> Response:
    body = orjson.loads(request.get_data())
    x = torch.from_numpy(np.array(body["value"], np.float32).reshape(body["shape"]))
    with torch.inference_mode():
        y = model(x)
    result = orjson.dumps(y.numpy(), option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(result, mimetype="application/json")
