"""requests-oauthlib as it is, driving the server that the environment names. Prints a line for each thing that it did."""

import os

import requests
from oauthlib.oauth2 import BackendApplicationClient
from oauthlib.oauth2.rfc6749.errors import InvalidClientError, InvalidGrantError
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

ISSUER, CERTIFICATE = os.environ["ISSUER"], os.environ["CERTIFICATE"]
APP_ID, SECRET = os.environ["APP_ID"], os.environ["SECRET"]
TOKEN, VERIFY = f"{ISSUER}/oauth2/token", os.environ["VERIFY"]
BASIC = HTTPBasicAuth(APP_ID, SECRET)


def session(**settings):
    made = OAuth2Session(client=BackendApplicationClient(client_id=APP_ID), **settings)
    made.verify = CERTIFICATE
    return made


def client_secret_basic():
    client = session()
    token = client.fetch_token(TOKEN, auth=BASIC)
    assert token["token_type"] == "Bearer" and token["scope"] == ["default"], token
    assert "refresh_token" not in token, token


def client_secret_post():
    session().fetch_token(TOKEN, client_id=APP_ID, client_secret=SECRET, include_client_id=True)


def scope():
    token = session(scope=["default"]).fetch_token(TOKEN, auth=BASIC)
    assert not token.scope_changed, token


def call_on_the_platform():
    """The library shows the token by itself, and the gateway's question is answered with yes."""
    backend = BackendApplicationClient(client_id=APP_ID)
    client = OAuth2Session(client=backend)
    client.verify = CERTIFICATE
    client.fetch_token(TOKEN, auth=BASIC)
    # A gateway asks over plain HTTP on its own network, where the library would send no token: it is asked what it sends.
    _, headers, _ = backend.add_token("https://platform.example/", headers={"app_key": APP_ID})
    answer = requests.get(VERIFY, headers=headers)
    assert answer.status_code == 200, answer.text


def refresh_token():
    first = os.environ["REFRESH_TOKEN"]
    client = OAuth2Session(APP_ID, token={"refresh_token": first, "token_type": "Bearer", "expires_in": -1})
    client.verify = CERTIFICATE
    token = client.refresh_token(TOKEN, auth=BASIC)
    assert token["access_token"] and token["refresh_token"] != first, token
    assert client.refresh_token(TOKEN, auth=BASIC)["access_token"] != token["access_token"]


def errors():
    try:
        session().fetch_token(TOKEN, auth=HTTPBasicAuth(APP_ID, "wrong"))
        raise AssertionError("a wrong secret was good")
    except InvalidClientError as error:
        assert error.status_code == 401 and error.description, error
    try:
        session().refresh_token(TOKEN, refresh_token="nonsense", auth=BASIC)
        raise AssertionError("a refresh token that is none was good")
    except InvalidGrantError as error:
        assert error.status_code == 400, error


for step in [client_secret_basic, client_secret_post, scope, call_on_the_platform, refresh_token, errors]:
    step()
    print(f"ok {step.__name__}")
