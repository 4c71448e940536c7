//! Every address against everything that must not be answered; the list of addresses is the router's own.

use yardstick_serve::routes;

use crate::client::{Served, run};

/// An address that is answered with 200 when nothing is wrong.
fn good(path: &str) -> String {
    match path {
        "/run" | "/api/run" => format!("{path}?id=r1"),
        "/report" | "/api/records" | "/api/progress" => format!("{path}?run=r1"),
        "/trend" | "/api/trend" => format!("{path}?cell=1"),
        "/compare" => format!("{path}?a=r1&b=r2"),
        _ => path.to_owned(),
    }
}

fn served() -> Served {
    Served::new(&[run("r1", 1, 1.0), run("r2", 2, 1.1)].concat())
}

#[test]
fn every_page_answers_a_browser_of_this_machine() {
    let served = served();
    let id =
        served.get("/api/records?run=r1").json()["records"][0]["id"].as_str().unwrap().to_owned();
    let mut asked = 0;
    for (method, path) in routes().filter(|(method, _)| *method == "GET") {
        let target = if path == "/api/record" { format!("{path}?id={id}") } else { good(path) };
        let answer = served.ask(method, &target, &["Sec-Fetch-Site: same-origin"]);
        assert_eq!(answer.status, 200, "{target}: {}", answer.body);
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(name), value, "{target}");
        }
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'")
        );
        assert!(!policy.contains("script-src 'unsafe"), "{target}: {policy}");
        assert_eq!(answer.header("access-control-allow-origin"), "", "no other site may read it");
        assert_eq!(answer.header("content-length"), answer.body.len().to_string());
        let head = served.ask("HEAD", &target, &[]);
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{target}");
        asked += 1;
    }
    assert!(asked >= 15, "{asked}");
}

#[test]
fn a_name_that_is_not_ours_is_refused_on_every_page() {
    let served = served();
    let port = served.address.port();
    let foreign = [
        "Host: evil.example".to_owned(),
        format!("Host: evil.example:{port}"),
        "Host: 127.0.0.1".to_owned(),
        format!("Host: 127.0.0.1.evil.example:{port}"),
        format!("Host: 127.0.0.1:{port}@evil.example"),
        format!("Host: 0.0.0.0:{port}"),
        "Host:".to_owned(),
    ];
    for (method, path) in routes() {
        for host in &foreign {
            let answer = served.ask(method, &good(path), &[host]);
            assert_eq!(answer.status, 421, "{method} {path} {host}");
        }
        let none = served.send(format!("{method} {} HTTP/1.1\r\n\r\n", good(path)).as_bytes());
        assert_eq!(none.status, 421, "{method} {path} without a Host");
    }
    for host in ["localhost", "LOCALHOST", "127.0.0.1", "[::1]", "bench.example"] {
        let answer = served.ask("GET", "/", &[&format!("Host: {host}:{port}")]);
        assert_eq!(answer.status, 200, "{host}");
    }
    let two = [format!("Host: 127.0.0.1:{port}"), "Host: evil.example".to_owned()];
    assert_eq!(served.ask("GET", "/", &[&two[0], &two[1]]).status, 400);
}

#[test]
fn other_sites_are_refused_on_every_page_even_with_the_token() {
    let served = served();
    let port = served.address.port();
    let bearer = format!("Authorization: Bearer {}", served.token);
    let type_of_body = "Content-Type: application/json";
    for (method, path) in routes() {
        for origin in [
            "http://evil.example".to_owned(),
            format!("http://evil.example:{port}"),
            format!("https://127.0.0.1:{port}"),
            format!("http://127.0.0.1:{}", port ^ 1),
            "null".to_owned(),
        ] {
            let origin = format!("Origin: {origin}");
            let answer = served.ask(method, &good(path), &[&origin, &bearer, type_of_body]);
            assert_eq!(answer.status, 403, "{method} {path} {origin}");
        }
        for site in ["cross-site", "same-site", "anything"] {
            let site = format!("Sec-Fetch-Site: {site}");
            let answer = served.ask(method, &good(path), &[&site, &bearer, type_of_body]);
            assert_eq!(answer.status, 403, "{method} {path} {site}");
        }
    }
    let link = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"];
    assert_eq!(served.ask("GET", "/", &link).status, 200, "a link to the page may be followed");
    assert_eq!(served.ask("POST", "/import", &[&link[..], &[&bearer]].concat()).status, 403);
}

#[test]
fn what_changes_something_needs_the_token_and_reading_changes_nothing() {
    let served = served();
    let one = &served.token[1..];
    for shown in ["", "Authorization: Bearer ", "Authorization: Basic eDp5", "Cookie: yardstick=1"]
    {
        let headers: Vec<&str> = [shown].into_iter().filter(|line| !line.is_empty()).collect();
        assert_eq!(served.ask("POST", "/import", &headers).status, 401, "{shown:?}");
    }
    let nearly = format!("Authorization: Bearer {one}0");
    assert_eq!(served.ask("POST", "/import", &[&nearly]).status, 401);
    assert_eq!(served.get("/import").status, 405);
    for (method, path) in routes().filter(|(method, _)| *method == "GET") {
        let bearer = format!("Authorization: Bearer {}", served.token);
        assert_eq!(
            served.ask("POST", path, &[&bearer, "Content-Length: 0"]).status,
            405,
            "{method} {path}"
        );
        for other in ["PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT"] {
            assert_eq!(served.ask(other, path, &[]).status, 405, "{other} {path}");
        }
    }
}

#[test]
fn from_other_machines_everything_needs_the_token() {
    let served = Served::listening("0.0.0.0:0", &run("r1", 1, 1.0));
    for (method, path) in routes() {
        assert_eq!(served.ask(method, path, &[]).status, 401, "{method} {path}");
    }
    assert_eq!(served.get("/none").status, 401, "nor do they learn what there is");
    let bearer = format!("Authorization: Bearer {}", served.token);
    assert_eq!(served.ask("GET", "/", &[&bearer]).status, 200);
    // A browser shows it once, in the address that was printed.
    assert!(served.url.ends_with(&format!("?token={}", served.token)));
    let first = served.get(&format!("/run?id=r1&token={}", served.token));
    assert_eq!((first.status, first.header("location")), (303, "/run?id=r1"));
    let cookie = first.header("set-cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = format!("Cookie: other=1; {}", cookie.split(';').next().unwrap());
    assert_eq!(served.ask("GET", "/run?id=r1", &[&cookie]).status, 200);
    assert_eq!(served.get("/?token=wrong").status, 401);
    for away in ["//evil.example/", "/\\evil.example/"] {
        let answer = served.get(&format!("{away}?token={}", served.token));
        let location = answer.header("location");
        assert!(location.starts_with('/') && !location[1..].starts_with(['/', '\\']), "{location}");
    }
}

#[test]
fn no_address_is_a_path() {
    let served = served();
    let tricks = [
        "/../",
        "/..\\",
        "/%2e%2e/",
        "/%252e%252e/",
        "/..%2f",
        "/..%5c",
        "/;/",
        "/.;/",
        "/%00",
        "//",
        "/./",
        "/~root",
        "/etc/passwd",
        "/C:/",
        "/file:///etc/passwd",
        "/records.sqlite",
    ];
    for (_, path) in routes() {
        for trick in tricks {
            for target in
                [format!("{trick}{}", path.trim_start_matches('/')), format!("{path}{trick}")]
            {
                let target =
                    if routes().any(|(_, known)| known == target) { continue } else { target };
                let answer = served.get(&target);
                assert!(matches!(answer.status, 400 | 404), "{target}: {}", answer.status);
                assert!(
                    !answer.body.contains("root:") && !answer.body.contains("sqlite"),
                    "{target}"
                );
            }
        }
    }
    for value in
        ["../../etc/passwd", "..%5c..%5cx", "%252e%252e%252fx", "/etc/passwd", "r1;x", "r1'--"]
    {
        for target in
            ["/run?id=", "/report?run=", "/api/run?id=", "/api/record?id=", "/api/records?run="]
        {
            let answer = served.get(&format!("{target}{value}"));
            assert_eq!(answer.status, 404, "{target}{value}");
            assert!(!answer.body.contains("sqlite"), "{target}{value}: {}", answer.body);
        }
    }
    let absolute =
        format!("GET http://{}/ HTTP/1.1\r\nHost: {}\r\n\r\n", served.host(), served.host());
    assert_eq!(served.send(absolute.as_bytes()).status, 404);
}
