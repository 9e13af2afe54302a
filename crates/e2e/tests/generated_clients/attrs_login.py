"""Logs in and refreshes by the client that openapi-python-client generates; prints both access tokens."""
import os

from northgate_client import Client
from northgate_client.api.application_api import login, refresh
from northgate_client.models import Login, Refresh

client = Client(base_url=os.environ["ISSUER"], verify_ssl=os.environ["SSL_CERT_FILE"])
app_id, secret = os.environ["APP_ID"], os.environ["SECRET"]
first = login.sync(client=client, body=Login(app_id=app_id, secret=secret))
following = refresh.sync(client=client, body=Refresh(app_id=app_id, secret=secret, refresh_token=first.refresh_token))
print(first.access_token, following.access_token, sep="\n")
