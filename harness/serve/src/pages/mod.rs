//! Pages: what the templates print. Every text is cut and made harmless here, and escaped by minijinja where it is printed.

mod compare;
mod lists;
mod rows;
mod run;
mod trend;

use std::sync::OnceLock;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment};
use serde_json::{Value, json};
use yardstick_render as render;

use crate::http::{Kind, Refusal, Request, Response};
use crate::site::Site;

pub(crate) use compare::compare;
pub(crate) use lists::{runs, trends};
pub(crate) use rows::{RecordRow, RunRow, record_row, run_row};
pub(crate) use run::{report, run};
pub(crate) use trend::{found, trend};

const TEMPLATES: [(&str, &str); 8] = [
    ("layout.html", include_str!("../assets/layout.html")),
    ("runs.html", include_str!("../assets/runs.html")),
    ("run.html", include_str!("../assets/run.html")),
    ("trends.html", include_str!("../assets/trends.html")),
    ("trend.html", include_str!("../assets/trend.html")),
    ("compare.html", include_str!("../assets/compare.html")),
    ("api.html", include_str!("../assets/api.html")),
    ("refusal.html", include_str!("../assets/refusal.html")),
];
const STYLE: &str = include_str!("../assets/page.css");
const SCRIPT: &str = include_str!("../assets/page.js");
/// Characters of a name, and of a sentence.
pub(crate) const NAME: usize = 80;
pub(crate) const LONG: usize = 400;

/// A page of a template.
fn page(site: &Site, template: &str, mut values: Value) -> Response {
    values["tool"] = render::elide(&site.tool, NAME).into();
    static ENVIRONMENT: OnceLock<Environment<'static>> = OnceLock::new();
    let environment = ENVIRONMENT.get_or_init(|| {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.add_filter("address", |text: &str| crate::http::encoded(text));
        environment.add_filter("moment", moment);
        for (name, text) in TEMPLATES {
            environment.add_template(name, text).expect("the templates are fixed and tested");
        }
        environment
    });
    let template = environment.get_template(template).expect("named in TEMPLATES");
    let made = template.render(Serde(values)).expect("the templates are fixed and tested");
    Response::new(Kind::Page, made)
}

/// A moment as people read it, `2026-11-29 06:07`; as it is where it is none.
fn moment(text: &str) -> String {
    match text.parse::<jiff::Timestamp>() {
        Ok(moment) => format!("{moment:.0}").replacen('T', " ", 1).chars().take(16).collect(),
        Err(_) => render::elide(text, NAME),
    }
}

/// A refusal in the form its address asks for.
pub(crate) fn refusal(site: &Site, path: &str, refusal: &Refusal) -> Response {
    let line = refusal.status.line();
    let why = render::elide(&refusal.why, LONG);
    let response = match path.starts_with("/api/") || path == "/import" || path == "/metrics" {
        true => {
            let body = json!({ "error": why });
            Response::new(Kind::Json, render::json_escape(&format!("{body}\n")))
        }
        false => page(site, "refusal.html", json!({ "line": line, "why": why })),
    };
    Response { status: refusal.status, ..response }
}

/// What there is, from the table of routes.
pub(crate) fn api(site: &Site, request: &Request) -> Result<Response, Refusal> {
    request.query.only(&[])?;
    let routes: Vec<Value> = crate::routes::ROUTES
        .iter()
        .map(|route| {
            let (method, path) = route.name();
            json!({ "method": method, "path": path, "about": route.about })
        })
        .collect();
    Ok(page(site, "api.html", json!({ "routes": routes, "here": "api" })))
}

/// The style of reports, and what pages have beside it.
pub(crate) fn style(_: &Site, _: &Request) -> Result<Response, Refusal> {
    Ok(Response::new(Kind::Style, format!("{}\n{STYLE}", render::STYLE)))
}

/// The script: nothing is missing without it but what goes on while one looks.
pub(crate) fn script(_: &Site, _: &Request) -> Result<Response, Refusal> {
    Ok(Response::new(Kind::Script, SCRIPT))
}
