//! Laws of the application API, verify and what surrounds them, to the byte.

mod bearer;
mod bodies;
mod client_text;
mod clients;
mod heads;
mod logging;
mod login;
mod login_v3;
mod logout;
mod operating;
mod proxies;
mod refresh;
mod routes;
mod statuses;
mod throttle;
mod traces;
mod verify;
