//! The HTML of the authorization page, without script: a person clicks its buttons, a test posts its form.
//!
//! Every value that comes from a request or from the control interface is escaped.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::call::ApiCall;
use crate::token_store::Scope;
use crate::world::World;

/// Renders the form: one radio button for each user, one checkbox for each requested scope, allow and deny.
///
/// The form posts back to the URL of `call`, so that the decision carries the request's query.
pub(super) fn authorization(world: &World, scopes: &BTreeSet<Scope>, call: &ApiCall) -> String {
    let mut users = String::new();
    for (index, user) in world.users.values().enumerate() {
        // Preselects the signed-in user, or the first user if no user is signed in.
        let is_preselected =
            world.settings.signed_in.as_ref().map_or(index == 0, |signed_in| *signed_in == user.open_id);
        let checked = if is_preselected { " checked" } else { "" };
        let (id, name) = (escape(user.open_id.as_str()), escape(&user.nickname));
        let handle = escape(&user.username);
        let _ = writeln!(
            users,
            "<p><label><input type=\"radio\" name=\"user\" value=\"{id}\"{checked}> \
             {name} (@{handle})</label></p>"
        );
    }
    let mut checkboxes = String::new();
    for scope in scopes {
        let name = scope.name();
        let _ = writeln!(
            checkboxes,
            "<p><label><input type=\"checkbox\" name=\"granted\" value=\"{name}\" checked> \
             {name}</label></p>"
        );
    }
    let action = escape(&format!("{}?{}", call.path, call.query.encode()));
    document(
        "Authorize",
        &format!(
            "<h1>An app asks to use your account</h1>\n\
             <form method=\"post\" action=\"{action}\">\n\
             <h2>Who are you?</h2>\n{users}\
             <h2>What may it do?</h2>\n{checkboxes}\
             <button name=\"decision\" value=\"allow\">Allow</button>\n\
             <button name=\"decision\" value=\"deny\">Deny</button>\n\
             </form>\n"
        ),
    )
}

/// Renders the error page, which names the wrong parameter of the app's request.
pub(super) fn error(parameter: &str) -> String {
    let parameter = escape(parameter);
    document("Something went wrong", &format!("<h1>Something went wrong</h1>\n<p>{parameter}</p>\n"))
}

fn document(title: &str, body: &str) -> String {
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
    fn html_special_characters_are_escaped() {
        assert_eq!(escape("\"><script>&"), "&quot;&gt;&lt;script&gt;&amp;");
    }
}
