//! Audit events, one log line each at every log level.

use northgate_core::app_id::AppId;
use northgate_core::grant::GrantKey;
use tracing::{info, warn};

use crate::http::observe::RequestId;
use crate::listener::connection::Peer;

/// An event of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audit {
    /// A used refresh token came again: a client that lost track, or a thief.
    Reused { grant: GrantKey, presented: u32, current: u32, closed: bool },
    /// The record of a grant was behind a token of ours: the database went back in time.
    CaughtUp { grant: GrantKey, from: u32, to: u32 },
    /// Its application logged out.
    LoggedOut { grant: GrantKey },
    /// Its application revoked one of its tokens.
    Revoked { grant: GrantKey },
    /// The application's revocations reached their bound, so that a close revoked all its tokens.
    EndedAll,
}

impl Audit {
    /// Writes the line.
    pub(super) fn write(&self, request: RequestId, peer: Peer, application: Option<&AppId>) {
        let application = application.map_or("", AppId::as_str);
        match self {
            Audit::Reused { grant, presented, current, closed } => warn!(
                target: "northgate::audit",
                %request, %peer, application, grant = %grant.id, presented, current, closed,
                "a used refresh token was presented again"
            ),
            Audit::CaughtUp { grant, from, to } => warn!(
                target: "northgate::audit",
                %request, %peer, application, grant = %grant.id, from, to,
                "the record of a grant was behind its refresh token and has caught up"
            ),
            Audit::LoggedOut { grant } => info!(
                target: "northgate::audit",
                %request, %peer, application, grant = %grant.id,
                "a grant was closed by logout"
            ),
            Audit::Revoked { grant } => info!(
                target: "northgate::audit",
                %request, %peer, application, grant = %grant.id,
                "a grant was closed by revocation"
            ),
            Audit::EndedAll => warn!(
                target: "northgate::audit",
                %request, %peer, application,
                "the application has closed too many grants to keep another (limits.closed_grants): all its tokens were revoked instead"
            ),
        }
    }
}
