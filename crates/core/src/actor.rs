//! The actor of an administrative act: the subject that the audit trail names.
//!
//! The edge makes an actor once for each request: authentication yields its name and role, and [`Actor::of_request`] adds the
//! request. Every administrative operation of [`Auth`](crate::auth::Auth) takes it as `&Actor` before `now`. A named operator is an
//! `Actor` with the operator's name and role in place of [`Actor::BREAK_GLASS`]; no operation needs to change for it.

use std::borrow::Cow;
use std::net::IpAddr;

/// An actor, with the request by which it acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The name of the operator, or one of the constants below. Never a token.
    pub name: Cow<'static, str>,
    pub role: Role,
    /// The id of the request, as in the log and in `X-Request-Id`.
    pub request: Option<Box<str>>,
    /// The address of the client, as a trusted proxy states it.
    pub peer: Option<IpAddr>,
}

/// What an actor may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    Viewer,
    Operator,
    Admin,
    /// An application, by a call of the application API.
    Application,
    /// The server itself, or a command on the machine of the data directory.
    System,
}

impl Actor {
    /// The bearer of the admin token of the data directory.
    pub const BREAK_GLASS: Actor = Actor::named("admin-token", Role::Admin);
    /// A command that works on the database without a server, such as `northgate import`.
    pub const LOCAL: Actor = Actor::named("local-command", Role::System);
    /// The server itself.
    pub const SYSTEM: Actor = Actor::named("northgate", Role::System);

    const fn named(name: &'static str, role: Role) -> Actor {
        Actor { name: Cow::Borrowed(name), role, request: None, peer: None }
    }

    /// The actor of a request.
    pub fn of_request(self, request: Option<Box<str>>, peer: IpAddr) -> Actor {
        Actor { request, peer: Some(peer), ..self }
    }
}

impl Role {
    pub const ALL: [Role; 5] = [Role::Viewer, Role::Operator, Role::Admin, Role::Application, Role::System];

    /// The word in answers and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Admin => "admin",
            Role::Application => "application",
            Role::System => "system",
        }
    }

    /// The role with this word.
    pub fn parse(word: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == word)
    }
}
