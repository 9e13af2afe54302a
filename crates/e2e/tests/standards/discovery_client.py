"""Clients that configure themselves by the issuer alone, as libraries of OAuth and of OpenID Connect do, and python-jose, which
stops at the first key of a kind that it does not know. Prints a line for each thing that it did."""

import os

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from authlib.oidc.discovery import get_well_known_url as get_openid_url
from joserfc.jwk import ECKey
from jose import jwt

ISSUER, CERTIFICATE = os.environ["ISSUER"], os.environ["CERTIFICATE"]
ID, SECRET = os.environ["JWT_APP_ID"], os.environ["JWT_SECRET"]


def fetched(url):
    answer = requests.get(url, verify=CERTIFICATE)
    answer.raise_for_status()
    return answer.json()


def discover(url):
    metadata = AuthorizationServerMetadata(fetched(url))
    metadata.validate()
    assert metadata["issuer"] == ISSUER, metadata["issuer"]
    return metadata


def session(metadata, app_id=ID, secret=SECRET, **settings):
    made = OAuth2Session(app_id, secret, token_endpoint=metadata["token_endpoint"], **settings)
    made.verify = CERTIFICATE
    return made


METADATA = discover(get_well_known_url(ISSUER, external=True))


def openid_configuration():
    """RFC 8414 §3: not of OpenID Connect alone. Both ways to build the path from an issuer end there."""
    appended = discover(get_openid_url(ISSUER, external=True))
    inserted = discover(get_well_known_url(ISSUER, external=True, suffix="openid-configuration"))
    assert appended == inserted == METADATA
    assert METADATA["subject_types_supported"] == ["public"]
    assert METADATA["id_token_signing_alg_values_supported"] == ["ES256", "EdDSA"], METADATA


def every_endpoint():
    client = session(METADATA)
    token = client.fetch_token(grant_type="client_credentials")["access_token"]
    told = client.introspect_token(METADATA["introspection_endpoint"], token=token).json()
    claims = jwt.get_unverified_claims(token)
    assert told["active"] and told["iss"] == ISSUER, told
    assert told["aud"] == claims["aud"] and told["jti"] == claims["jti"], told
    client.revoke_token(METADATA["revocation_endpoint"], token=token).raise_for_status()
    assert not client.introspect_token(METADATA["introspection_endpoint"], token=token).json()["active"]


def private_key_jwt():
    """The library names the token endpoint as audience, and its assertions expire after an hour."""
    key = ECKey.import_key(open(os.environ["KEY"]).read())
    client = session(METADATA, os.environ["APP_ID"], key, token_endpoint_auth_method="private_key_jwt")
    client.register_client_auth_method(PrivateKeyJWT(METADATA["token_endpoint"], alg="ES256"))
    assert client.fetch_token(grant_type="client_credentials")["access_token"]


def python_jose():
    """The set has keys of Ed25519 as well, behind those of P-256."""
    token = session(METADATA).fetch_token(grant_type="client_credentials")["access_token"]
    keys = fetched(METADATA["jwks_uri"])
    assert [key["kty"] for key in keys["keys"]] == ["EC", "OKP"], keys
    claims = jwt.decode(token, keys, algorithms=["ES256"], audience=ISSUER, issuer=ISSUER)
    assert claims["client_id"] == ID, claims


for step in [openid_configuration, every_endpoint, private_key_jwt, python_jose]:
    step()
    print(f"ok {step.__name__}")
