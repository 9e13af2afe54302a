"""Logs in and refreshes by the generated client; prints both access tokens."""
import os

import openapi_client
from openapi_client.models import Login, Refresh

configuration = openapi_client.Configuration(host=os.environ["ISSUER"], ssl_ca_cert=os.environ["SSL_CERT_FILE"])
api = openapi_client.ApplicationAPIApi(openapi_client.ApiClient(configuration))
app_id, secret = os.environ["APP_ID"], os.environ["SECRET"]
first = api.login(Login(app_id=app_id, secret=secret))
following = api.refresh(Refresh(app_id=app_id, secret=secret, refresh_token=first.refresh_token))
print(first.access_token, following.access_token, sep="\n")
