from bottle import Bottle, redirect, request, static_file, template

app = Bottle()


@app.get("/")
def home():
    count = int(request.get_cookie("count", "0"))
    return template("<p>{{count}} {{url}}</p>", count=count, url=app.get_url("add"))


@app.post("/add", name="add")
def add():
    from bottle import response

    response.set_cookie("count", str(int(request.get_cookie("count", "0")) + int(request.forms.step)))
    return redirect(request.script_name)


@app.get("/source")
def source():
    return static_file("app.py", root=__file__.rpartition("/")[0], download=True)
