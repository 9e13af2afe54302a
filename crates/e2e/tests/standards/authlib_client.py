"""Authlib as it is, driving the server that the environment names. Prints a line for each thing that it did."""

import base64
import hashlib
import os
import ssl

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc6750.errors import InvalidTokenError
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from joserfc.jwk import ECKey, KeySet

ISSUER, CERTIFICATE = os.environ["ISSUER"], os.environ["CERTIFICATE"]
APP_ID, SECRET = os.environ["APP_ID"], os.environ["SECRET"]


def discover():
    """RFC 8414: every endpoint is found by the issuer, and the library's own check has nothing against the answer."""
    url = get_well_known_url(ISSUER, external=True)
    metadata = AuthorizationServerMetadata(requests.get(url, verify=CERTIFICATE).json())
    metadata.validate()
    assert metadata["issuer"] == ISSUER, metadata["issuer"]
    return metadata


METADATA = discover()


def session(secret=SECRET, method="client_secret_basic"):
    made = OAuth2Session(
        APP_ID,
        secret,
        token_endpoint=METADATA["token_endpoint"],
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
    )
    made.verify = CERTIFICATE
    return made


def is_active(client, token):
    answer = client.introspect_token(METADATA["introspection_endpoint"], token=token)
    answer.raise_for_status()
    return answer.json()["active"]


def goes_through(client):
    """A token is got, is good, is revoked and is good no more."""
    token = client.fetch_token(grant_type="client_credentials")
    assert token["token_type"] == "Bearer" and not token.is_expired(), token
    assert is_active(client, token["access_token"])
    client.revoke_token(METADATA["revocation_endpoint"], token=token["access_token"]).raise_for_status()
    assert not is_active(client, token["access_token"])


def client_secret():
    for method in ["client_secret_basic", "client_secret_post"]:
        goes_through(session(method=method))


def private_key_jwt():
    key = ECKey.import_key(open(os.environ["KEY"]).read())
    client = session(key, "private_key_jwt")
    # Whichever endpoint is asked, the assertion is for the token endpoint, which is a name of the server.
    # The library's assertions say when they were made and expire an hour later.
    client.register_client_auth_method(PrivateKeyJWT(METADATA["token_endpoint"], alg="ES256"))
    goes_through(client)


def self_signed_tls_client_auth():
    """RFC 8705: the certificate on the connection instead of a secret, and a token that is bound to it."""
    assert "self_signed_tls_client_auth" in METADATA["token_endpoint_auth_methods_supported"]
    certificate = open(os.environ["CLIENT_CERTIFICATE"]).read()
    client = session(None, "none")
    client.cert = (os.environ["CLIENT_CERTIFICATE"], os.environ["CLIENT_KEY"])
    token = client.fetch_token(grant_type="client_credentials")["access_token"]
    told = client.introspect_token(METADATA["introspection_endpoint"], token=token).json()
    thumbprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).digest()
    assert told["cnf"] == {"x5t#S256": base64.urlsafe_b64encode(thumbprint).rstrip(b"=").decode()}, told


def refresh_token():
    client = session()
    first = os.environ["REFRESH_TOKEN"]
    token = client.refresh_token(refresh_token=first)
    assert token["refresh_token"] != first and is_active(client, token["access_token"])
    again = client.refresh_token()
    assert is_active(client, again["access_token"]) and is_active(client, again["refresh_token"])
    client.revoke_token(METADATA["revocation_endpoint"], again["refresh_token"], "refresh_token").raise_for_status()
    assert not is_active(client, again["access_token"])
    try:
        client.refresh_token()
        raise AssertionError("a refresh token that was revoked was good")
    except OAuthError as error:
        assert error.error == "invalid_grant", error


def refused(expected, client, **parameters):
    try:
        client.fetch_token(grant_type="client_credentials", **parameters)
        raise AssertionError(f"it was not refused as {expected}")
    except OAuthError as error:
        assert error.error == expected and error.description, error


def errors():
    for method in ["client_secret_basic", "client_secret_post"]:
        refused("invalid_client", session("wrong", method))
    refused("invalid_scope", session(), scope="admin")
    try:
        session().fetch_token(grant_type="password", username="a", password="b")
        raise AssertionError("there is no such grant")
    except OAuthError as error:
        assert error.error == "unsupported_grant_type", error


class Validator(JWTBearerTokenValidator):
    def get_jwks(self):
        return KeySet.import_key_set(requests.get(METADATA["jwks_uri"], verify=CERTIFICATE).json())


def signed_access_token():
    """RFC 9068 §4, by the library: typ, signature, iss, aud, exp and all the claims that are required."""
    client = OAuth2Session(os.environ["JWT_APP_ID"], os.environ["JWT_SECRET"])
    client.verify = CERTIFICATE
    token = client.fetch_token(METADATA["token_endpoint"], grant_type="client_credentials")["access_token"]
    validator = Validator(ISSUER, ISSUER)
    claims = validator.authenticate_token(token)
    validator.validate_token(claims, ["default"], None)
    assert claims["sub"] == claims["client_id"] == os.environ["JWT_APP_ID"], claims
    for audience, issuer in [("https://other.example", ISSUER), (ISSUER, "https://other.example")]:
        other = Validator(issuer, audience)
        try:
            other.validate_token(other.authenticate_token(token), [], None)
            raise AssertionError("it is good for somebody else")
        except InvalidTokenError:
            pass


for step in [
    client_secret,
    private_key_jwt,
    self_signed_tls_client_auth,
    refresh_token,
    errors,
    signed_access_token,
]:
    step()
    print(f"ok {step.__name__}")
