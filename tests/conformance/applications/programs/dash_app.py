"""A Dash application: a page with callbacks that have inputs and states, and one that raises an error."""

import sys

import dash
from dash import Input, Output, State, dcc, html

app = dash.Dash(__name__, title="Conformance", suppress_callback_exceptions=True)
app.layout = html.Div(
    [
        dcc.Input(id="name", value="Ada"),
        dcc.Slider(0, 10, 1, value=3, id="count"),
        html.Button("Go", id="go", n_clicks=0),
        html.Div(id="greeting"),
        dcc.Store(id="clicks"),
        dcc.Download(id="download"),
    ]
)


@app.callback(Output("greeting", "children"), Input("name", "value"), Input("count", "value"))
def greet(name: str, count: int) -> str:
    if not name:
        raise dash.exceptions.PreventUpdate
    return f"{name}! " * count


@app.callback(Output("clicks", "data"), Input("go", "n_clicks"), State("name", "value"), prevent_initial_call=True)
def click(clicks: int, name: str) -> dict[str, object]:
    if clicks < 0:
        raise ValueError("clicks cannot be negative")
    return {"clicks": clicks, "name": name}


@app.server.route("/plain")
def plain() -> dict[str, str]:
    return {"served": "by the same application"}


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]), debug=False)
