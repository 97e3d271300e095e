//! People who may use the site: accounts, their roles and where these hold, and what each action is called.

use serde::{Deserialize, Serialize};

use super::{
    camera::Secret,
    ids::{AccountId, ClusterId},
    refusal::Refusal,
};

/// The longest login and the longest name of a person, in characters.
pub const LOGIN_CHARS_MAX: usize = 40;
const NAME_CHARS_MAX: usize = 80;
/// The most roles of one account, each place counted.
const GRANTS_MAX: usize = 50;

/// What a person needs the right for. Every route names one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing: signing in, and the page itself.
    Public,
    /// To be signed in, with whatever role: one's own session and password.
    Signed,
    /// See names and states of cameras; no picture.
    State,
    /// See what cameras show now.
    Live,
    /// Watch what was recorded.
    Playback,
    /// Look through events and what passed.
    Search,
    /// Say of an event what it was.
    Judge,
    /// Follow something from camera to camera, and keep its route.
    Follow,
    /// Take recordings away.
    Export,
    /// Keep recordings from being removed.
    Lock,
    /// Change cameras, shapes, rules, storage.
    Configure,
    /// Make accounts and give rights.
    Users,
    /// Read who did what.
    Audit,
    /// Read the figures: uptime, gaps, counts.
    Uptime,
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 14] = [
        Self::Public,
        Self::Signed,
        Self::State,
        Self::Live,
        Self::Playback,
        Self::Search,
        Self::Judge,
        Self::Follow,
        Self::Export,
        Self::Lock,
        Self::Configure,
        Self::Users,
        Self::Audit,
        Self::Uptime,
    ];
    /// The word for logs and pages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Signed => "signed",
            Self::State => "state",
            Self::Live => "live",
            Self::Playback => "playback",
            Self::Search => "search",
            Self::Judge => "judge",
            Self::Follow => "follow",
            Self::Export => "export",
            Self::Lock => "lock",
            Self::Configure => "configure",
            Self::Users => "users",
            Self::Audit => "audit",
            Self::Uptime => "uptime",
        }
    }
}

/// What somebody is at the site; one person often is several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Công an xã.
    Police,
    /// Trực ban: looks at what is now, and at nothing else.
    Duty,
    /// Lãnh đạo UBND: figures and states.
    Office,
    /// Cấp trên: figures, never a picture.
    Upper,
    /// Quản trị hệ thống.
    Admin,
    /// Người kiểm tra nhật ký.
    Auditor,
}

impl Role {
    /// All roles, in the order in which the log names one when several would do.
    pub const ALL: [Self; 6] = [Self::Police, Self::Duty, Self::Office, Self::Upper, Self::Admin, Self::Auditor];
    /// The names, for a refusal.
    pub const NAMES: &'static str = "police, duty, office, upper, admin, auditor";

    /// As stored and shown to programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Police => "police",
            Self::Duty => "duty",
            Self::Office => "office",
            Self::Upper => "upper",
            Self::Admin => "admin",
            Self::Auditor => "auditor",
        }
    }
    /// The role with that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
    /// Whether it may hold for one cluster of cameras only. The others are about the site as a whole.
    #[must_use]
    pub const fn has_place(self) -> bool {
        matches!(self, Self::Police | Self::Duty | Self::Office)
    }
}

/// A role and where it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// The cluster of cameras; `None`: all cameras.
    #[serde(default)]
    pub cluster: Option<ClusterId>,
}

/// An account as the store knows it; never with its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// What is typed to sign in; unique, whatever the case.
    pub login: String,
    /// The person's name.
    pub name: String,
    /// Roles and places.
    pub grants: Vec<Grant>,
    /// When it was made, UTC microseconds.
    pub made_us: i64,
    /// Since when it may not be used; `None`: it may.
    pub disabled_us: Option<i64>,
    /// When its person last signed in; `None`: never.
    pub signed_in_us: Option<i64>,
}

/// An account as a person gives it; checked by [`AccountDraft::checked`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountDraft {
    /// What is typed to sign in.
    pub login: String,
    /// The person's name; empty: the login.
    pub name: String,
    /// Roles and places.
    pub grants: Vec<Grant>,
    /// The password; `None` on a change keeps the old one.
    pub password: Option<Secret>,
    /// Whether it may not be used.
    pub disabled: bool,
}

/// A draft whose words and grants can be used. The password is looked at where the rules for it are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedAccount {
    /// What is typed to sign in, as it was typed.
    pub login: String,
    /// The person's name.
    pub name: String,
    /// Roles and places, sorted, none twice.
    pub grants: Vec<Grant>,
    /// Whether it may not be used.
    pub disabled: bool,
}

impl AccountDraft {
    /// Looks at everything but the password.
    ///
    /// # Errors
    /// Every problem with its field.
    pub fn checked(&self) -> Result<CheckedAccount, Vec<Refusal>> {
        let mut wrong = Vec::new();
        let login = self.login.trim().to_owned();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if !(2..=LOGIN_CHARS_MAX).contains(&login.chars().count()) || !login.chars().all(plain) {
            wrong.push(Refusal::new(
                "login",
                format!("tên đăng nhập cần từ 2 đến {LOGIN_CHARS_MAX} ký tự không dấu: chữ, số, dấu chấm, gạch nối, gạch dưới"),
                format!("a login has 2 to {LOGIN_CHARS_MAX} of: letters without accents, digits, dot, hyphen, underscore"),
            ));
        }
        let name = self.name.trim();
        if name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
            wrong.push(Refusal::new(
                "name",
                format!("họ tên quá dài hoặc có ký tự lạ; tối đa {NAME_CHARS_MAX} ký tự"),
                format!("the name is too long or has control characters; at most {NAME_CHARS_MAX} characters"),
            ));
        }
        let mut grants = self.grants.clone();
        grants.sort_unstable();
        grants.dedup();
        if grants.is_empty() || grants.len() > GRANTS_MAX {
            wrong.push(Refusal::new(
                "grants",
                format!("chọn từ 1 đến {GRANTS_MAX} vai trò cho tài khoản này"),
                format!("give the account 1 to {GRANTS_MAX} roles"),
            ));
        }
        if grants.iter().any(|grant| grant.cluster.is_some() && !grant.role.has_place()) {
            wrong.push(Refusal::new(
                "grants",
                "vai trò Cấp trên, Quản trị hệ thống, Người kiểm tra nhật ký là cho cả xã, không chọn cụm camera",
                "the roles upper, admin and auditor hold for the whole site and take no cluster",
            ));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let name = if name.is_empty() { login.clone() } else { name.to_owned() };
        Ok(CheckedAccount { login, name, grants, disabled: self.disabled })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(login: &str, grants: &[Grant]) -> AccountDraft {
        AccountDraft { login: login.into(), grants: grants.to_vec(), ..AccountDraft::default() }
    }

    #[test]
    fn a_login_is_plain_and_of_a_length_people_can_type() {
        let police = [Grant { role: Role::Police, cluster: None }];
        for good in ["an", "binh.ca", "truc-ban_2", "A1"] {
            assert_eq!(draft(good, &police).checked().unwrap().name, good);
        }
        // 10 000 characters: a name that long was once kept whole and shown on every page (limits, part C).
        let long = "a".repeat(10_000);
        for bad in ["", "a", "bình", "a b", "a/b", "a\0b", "<b>", &long] {
            assert_eq!(draft(bad, &police).checked().unwrap_err()[0].place, "login", "{bad:.20}");
        }
    }

    #[test]
    fn roles_that_are_about_the_site_take_no_cluster_and_an_account_without_any_is_refused() {
        let at = |role| Grant { role, cluster: Some(ClusterId(1)) };
        for role in Role::ALL {
            assert_eq!(draft("an", &[at(role)]).checked().is_ok(), role.has_place(), "{role:?}");
        }
        assert_eq!(draft("an", &[]).checked().unwrap_err()[0].place, "grants");
        let twice = draft("an", &[at(Role::Duty), at(Role::Duty)]).checked().unwrap();
        assert_eq!(twice.grants.len(), 1);
    }
}
