//! The consent page's HTML: plain, without script, to be clicked by a person and
//! posted by a test.
//!
//! Every value from outside is escaped.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::call::Call;
use crate::tokens::Scope;
use crate::world::World;

/// Writes the page that asks.
pub(super) fn consent(world: &World, scopes: &BTreeSet<Scope>, call: &Call) -> String {
    let mut users = String::new();
    for (index, user) in world.users.values().enumerate() {
        let first = index == 0 && world.settings.signed_in.is_none();
        let signed_in = world.settings.signed_in.as_ref() == Some(&user.open_id);
        let checked = if first || signed_in { " checked" } else { "" };
        let (id, name) = (escape(user.open_id.as_str()), escape(&user.nickname));
        let handle = escape(&user.username);
        let _ = writeln!(
            users,
            "<p><label><input type=\"radio\" name=\"user\" value=\"{id}\"{checked}> \
             {name} (@{handle})</label></p>"
        );
    }
    let mut wishes = String::new();
    for scope in scopes {
        let name = scope.name();
        let _ = writeln!(
            wishes,
            "<p><label><input type=\"checkbox\" name=\"granted\" value=\"{name}\" checked> \
             {name}</label></p>"
        );
    }
    let action = escape(&format!("{}?{}", call.path, call.query.encode()));
    page(
        "Authorize",
        &format!(
            "<h1>An app asks to use your account</h1>\n\
             <form method=\"post\" action=\"{action}\">\n\
             <h2>Who are you?</h2>\n{users}\
             <h2>What may it do?</h2>\n{wishes}\
             <button name=\"decision\" value=\"allow\">Allow</button>\n\
             <button name=\"decision\" value=\"deny\">Deny</button>\n\
             </form>\n"
        ),
    )
}

/// Writes the page that tells of a mistake that is not the user's.
pub(super) fn mistake(parameter: &str) -> String {
    let parameter = escape(parameter);
    page("Something went wrong", &format!("<h1>Something went wrong</h1>\n<p>{parameter}</p>\n"))
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
         <title>{title}</title></head>\n<body>\n{body}</body>\n</html>\n"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_escaped() {
        assert_eq!(escape("\"><script>&"), "&quot;&gt;&lt;script&gt;&amp;");
    }
}
