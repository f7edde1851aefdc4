from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, UploadFile
from fastapi.responses import RedirectResponse, StreamingResponse

state = {}


@asynccontextmanager
async def lifespan(app):
    state["started"] = True
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def home(request: Request):
    return {"started": state.get("started"), "url": str(request.url_for("upload")), "root": request.scope["root_path"]}


@app.post("/upload", name="upload")
async def upload(file: UploadFile):
    return {"name": file.filename, "size": len(await file.read())}


@app.get("/away")
async def away(request: Request):
    return RedirectResponse(request.url_for("home"), status_code=303)


@app.get("/stream")
async def stream():
    async def numbers():
        for number in range(1000):
            yield f"{number}\n"

    return StreamingResponse(numbers(), media_type="text/plain")
