"""FastAPI by hand: orjson, numpy, and the model on the event loop of each of two processes."""

import os

import numpy as np
import orjson
import torch
from fastapi import FastAPI, Request, Response

torch.set_num_threads(1)
model = torch.jit.load(os.environ["MODEL"])
app = FastAPI()


@app.post("/predict")
async def predict(request: Request) -> Response:
    body = orjson.loads(await request.body())
    x = torch.from_numpy(np.array(body["value"], np.float32).reshape(body["shape"]))
    with torch.inference_mode():
        y = model(x)
    result = orjson.dumps(y.numpy(), option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(result, media_type="application/json")
