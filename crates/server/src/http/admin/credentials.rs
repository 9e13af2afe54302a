//! Credentials of an application: list, add, remove. They authenticate it to OAuth instead of a secret.

pub use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use northgate_core::administer::Change;
use northgate_core::app_id::AppId;
use northgate_core::application::Application;
use northgate_core::credential::{AssertionKey, CredentialId, CredentialKind, NameField};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use serde::Deserialize;
use serde_json::Value;
use tracing::info;

use super::Admin;
use super::answer::{CredentialLine, Credentials};
use super::applications::{app_id, change};
use super::body::{Body, Text};
use super::if_match::IfMatch;
use super::operator::Operator;
use super::problem::AdminProblem;
use crate::jose::jwk::Jwk;
use crate::tls::client_certificate;
use crate::tls::x509::names;

pub async fn list(
    _: Operator,
    State(admin): State<Arc<Admin>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Credentials>, AdminProblem> {
    let id = app_id(path)?;
    let application = admin.auth.registry().find(&id);
    application.map(|found| credentials(&found)).ok_or_else(|| AdminProblem::unknown_application(id.as_str()))
}

/// Exactly one member besides the label.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Add {
    label: Option<Text>,
    jwk: Option<Value>,
    /// In PEM, as the next one.
    public_key: Option<String>,
    certificate: Option<String>,
    subject: Option<String>,
    san_dns: Option<String>,
    san_uri: Option<String>,
    san_ip: Option<String>,
    san_email: Option<String>,
}

pub async fn add(
    Operator(actor): Operator,
    State(admin): State<Arc<Admin>>,
    path: Result<Path<String>, PathRejection>,
    if_match: IfMatch,
    Body(add): Body<Add>,
) -> Result<(StatusCode, Json<CredentialLine>), AdminProblem> {
    let id = app_id(path)?;
    let label = add.label.as_ref().map_or("added", |label| &label.0).to_owned();
    let wanted = Change::AddCredential(label, add.kind()?);
    let application = change(&admin, &actor, &id, &if_match, &wanted).await?;
    // The new one is the last, and this is the state right after the addition.
    let added = application.credentials.last().map(CredentialLine::new);
    let added = added.ok_or_else(|| AdminProblem::unknown_application(id.as_str()))?;
    info!(
        target: "northgate::audit", application = %id, credential = added.id, kind = added.kind,
        "a credential was added to an application"
    );
    Ok((StatusCode::CREATED, Json(added)))
}

pub async fn remove(
    Operator(actor): Operator,
    State(admin): State<Arc<Admin>>,
    path: Result<Path<(String, u32)>, PathRejection>,
    if_match: IfMatch,
) -> Result<Json<Credentials>, AdminProblem> {
    let Path((text, credential)) = path.map_err(|rejection| AdminProblem::invalid(rejection.body_text()))?;
    let id = AppId::parse(&text).map_err(|_| AdminProblem::unknown_application(&text))?;
    let wanted = Change::RemoveCredential(CredentialId(credential));
    let application = change(&admin, &actor, &id, &if_match, &wanted).await?;
    info!(
        target: "northgate::audit", application = %id, credential,
        "a credential was removed from an application"
    );
    Ok(credentials(&application))
}

impl Add {
    /// The credential that the members describe.
    pub fn kind(&self) -> Result<CredentialKind, AdminProblem> {
        let names = [
            (NameField::Subject, &self.subject),
            (NameField::SanDns, &self.san_dns),
            (NameField::SanUri, &self.san_uri),
            (NameField::SanIp, &self.san_ip),
            (NameField::SanEmail, &self.san_email),
        ];
        let names = names.into_iter().filter_map(|(field, text)| Some(name(field, text.as_deref()?)));
        let others = [
            self.jwk.as_ref().map(jwk),
            self.public_key.as_deref().map(public_key),
            self.certificate.as_deref().map(certificate),
        ];
        let mut given = others.into_iter().flatten().chain(names);
        match (given.next(), given.next()) {
            (Some(kind), None) => kind,
            (_, _) => Err(AdminProblem::invalid(
                "a credential is exactly one of jwk, publicKey, certificate, subject, sanDns, sanUri, sanIp and sanEmail",
            )),
        }
    }
}

fn public_key(pem: &str) -> Result<CredentialKind, AdminProblem> {
    let spki = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes());
    key(&spki.map_err(|_| AdminProblem::invalid("publicKey is no PEM text with a PUBLIC KEY"))?)
}

fn jwk(jwk: &Value) -> Result<CredentialKind, AdminProblem> {
    let key = Jwk::read(jwk).and_then(|jwk| jwk.credential());
    key.map(CredentialKind::Key).map_err(|error| AdminProblem::invalid(error.to_string()))
}

fn key(spki: &[u8]) -> Result<CredentialKind, AdminProblem> {
    AssertionKey::parse(spki)
        .map(CredentialKind::Key)
        .map_err(|error| AdminProblem::invalid(error.to_string()))
}

fn certificate(pem: &str) -> Result<CredentialKind, AdminProblem> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes());
    let der = der.map_err(|_| AdminProblem::invalid("certificate is no PEM text with a CERTIFICATE"))?;
    Ok(CredentialKind::Certificate(client_certificate::thumbprint(&der)))
}

fn name(field: NameField, text: &str) -> Result<CredentialKind, AdminProblem> {
    let name = names::written(field, text).map(CredentialKind::Name);
    name.ok_or_else(|| {
        AdminProblem::invalid(format!("{text:?} is no {} that a certificate can have", field.as_str()))
    })
}

fn credentials(application: &Application) -> Json<Credentials> {
    Json(Credentials { credentials: application.credentials.iter().map(CredentialLine::new).collect() })
}
