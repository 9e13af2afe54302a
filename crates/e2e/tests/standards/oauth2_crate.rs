//! The crate `oauth2`, over the HTTP client that tests have anyhow.

use oauth2::basic::{BasicClient, BasicErrorResponseType, BasicTokenType};
use oauth2::{
    AuthType, ClientId, ClientSecret, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse,
    IntrospectionUrl, RefreshToken, RequestTokenError, RevocationUrl, Scope, StandardRevocableToken,
    TokenIntrospectionResponse, TokenResponse, TokenUrl,
};

use crate::house::{Application, House};

/// With all of the endpoints that there are.
type Client = BasicClient<EndpointNotSet, EndpointNotSet, EndpointSet, EndpointSet, EndpointSet>;

fn client(house: &House, application: &Application, how: AuthType) -> Client {
    let url = |path: &str| format!("{}{path}", house.issuer);
    BasicClient::new(ClientId::new(application.id.clone()))
        .set_client_secret(ClientSecret::new(application.secret.clone()))
        .set_auth_type(how)
        .set_token_uri(TokenUrl::new(url("/oauth2/token")).unwrap())
        .set_introspection_url(IntrospectionUrl::new(url("/oauth2/introspect")).unwrap())
        .set_revocation_url(RevocationUrl::new(url("/oauth2/revoke")).unwrap())
}

/// Trusts the certificate of this installation only.
fn http(house: &House) -> reqwest::Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let certificate = reqwest::Certificate::from_pem(&std::fs::read(house.certificate()).unwrap()).unwrap();
    reqwest::Client::builder().add_root_certificate(certificate).https_only(true).build().unwrap()
}

/// Hands a request of the library to the HTTP client, and the answer back.
async fn send(http: &reqwest::Client, request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let answer = http.execute(request.try_into()?).await?;
    let mut response = HttpResponse::new(Vec::new());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    *response.body_mut() = answer.bytes().await?.to_vec();
    Ok(response)
}

#[tokio::test]
async fn the_oauth2_crate_gets_checks_refreshes_and_revokes_tokens() {
    let house = House::new(&[]);
    let (application, http) = (house.application("a client", &[]), http(&house));
    let http = |request| send(&http, request);
    for how in [AuthType::BasicAuth, AuthType::RequestBody] {
        let client = client(&house, &application, how);
        let scope = Scope::new("default".to_owned());
        let token =
            client.exchange_client_credentials().add_scope(scope.clone()).request_async(&http).await.unwrap();
        assert_eq!((token.token_type(), token.refresh_token().is_none()), (&BasicTokenType::Bearer, true));
        assert_eq!((token.scopes(), token.expires_in().is_some()), (Some(&vec![scope]), true));
        let told = client.introspect(token.access_token()).request_async(&http).await.unwrap();
        assert_eq!((told.active(), told.client_id()), (true, Some(&ClientId::new(application.id.clone()))));
        let ended = StandardRevocableToken::AccessToken(token.access_token().clone());
        client.revoke_token(ended).unwrap().request_async(&http).await.unwrap();
        assert!(!client.introspect(token.access_token()).request_async(&http).await.unwrap().active());

        let first = RefreshToken::new(house.login(&application).refresh);
        let second = client.exchange_refresh_token(&first).request_async(&http).await.unwrap();
        assert_ne!(second.refresh_token().unwrap().secret(), first.secret());
        let ended = StandardRevocableToken::RefreshToken(second.refresh_token().unwrap().clone());
        client.revoke_token(ended).unwrap().request_async(&http).await.unwrap();
        assert!(!client.introspect(second.access_token()).request_async(&http).await.unwrap().active());
    }
}

#[tokio::test]
async fn the_oauth2_crate_understands_why_it_is_refused() {
    let house = House::new(&[]);
    let (application, http) = (house.application("a client", &[]), http(&house));
    let http = |request| send(&http, request);
    let wrong = Application { secret: "wrong".to_owned(), ..house.application("wrong", &[]) };
    for (who, scope, expected) in [
        (&wrong, "default", BasicErrorResponseType::InvalidClient),
        (&application, "admin", BasicErrorResponseType::InvalidScope),
    ] {
        let client = client(&house, who, AuthType::BasicAuth);
        let scope = Scope::new(scope.to_owned());
        let refused = client.exchange_client_credentials().add_scope(scope).request_async(&http).await;
        let Err(RequestTokenError::ServerResponse(said)) = refused else { panic!("{refused:?}") };
        assert_eq!((said.error(), said.error_description().is_some()), (&expected, true));
    }
    let client = client(&house, &application, AuthType::BasicAuth);
    let nonsense = RefreshToken::new("nonsense".to_owned());
    let refused = client.exchange_refresh_token(&nonsense).request_async(&http).await;
    let Err(RequestTokenError::ServerResponse(said)) = refused else { panic!("{refused:?}") };
    assert_eq!(said.error(), &BasicErrorResponseType::InvalidGrant);
}
