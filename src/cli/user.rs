//! `vonglau user add|passwd|disable|enable|list`: accounts without the page, for the first one and for the day on which
//! nobody remembers the administrator's password. A serving process sees the change at once.

use std::{io::BufRead, io::IsTerminal, path::PathBuf, process::ExitCode};

use anyhow::Context;
use clap::{Args, Subcommand};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::{PlaceArgs, actor, refused, start_log};
use crate::{
    app,
    domain::{
        account::{Account, AccountDraft, Grant, Role},
        camera::Secret,
        refusal::Refusal,
    },
    logic::password,
    runtime::{clock::Clock, secrets},
    store::{Store, When},
};

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Thêm tài khoản / Add an account
    Add(AddArgs),
    /// Đặt lại mật khẩu; mọi phiên của tài khoản kết thúc / Set a new password; all its sessions end
    Passwd(OneArgs),
    /// Khóa tài khoản; mọi phiên của tài khoản kết thúc / Disable an account; all its sessions end
    Disable(OneArgs),
    /// Mở lại tài khoản / Enable an account
    Enable(OneArgs),
    /// Liệt kê tài khoản / List the accounts
    List {
        #[command(flatten)]
        place: PlaceArgs,
        /// In JSON / As JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    #[command(flatten)]
    one: OneArgs,
    /// Họ tên / The person's name
    #[arg(long, default_value = "")]
    name: String,
    /// Vai trò: police, duty, office, upper, admin, auditor; thêm @Tên cụm để giới hạn / Roles; @cluster limits one
    #[arg(long = "role", value_name = "ROLE[@CLUSTER]", required = true)]
    roles: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct OneArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Tên đăng nhập / The login
    login: String,
    /// Tệp chứa mật khẩu; không có thì hỏi trên màn hình / File that holds the password; without one it is asked for
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

pub(super) async fn run(command: UserCommand) -> anyhow::Result<ExitCode> {
    start_log("warn");
    match command {
        UserCommand::Add(args) => add(args).await?,
        UserCommand::Passwd(args) => passwd(&args).await?,
        UserCommand::Disable(args) => able(&args, true).await?,
        UserCommand::Enable(args) => able(&args, false).await?,
        UserCommand::List { place, json } => list(&place, json).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// `police` or `police@Chợ`.
async fn grant(store: &Store, text: &str) -> anyhow::Result<Grant> {
    let (role, place) = text.split_once('@').map_or((text, None), |(role, place)| (role, Some(place.trim())));
    let role = Role::from_name(role.trim()).ok_or_else(|| {
        Refusal::new(
            "--role",
            format!("không có vai trò «{role}»; có: {}", Role::NAMES),
            format!("there is no role “{role}”; there are {}", Role::NAMES),
        )
    })?;
    let Some(place) = place else { return Ok(Grant { role, cluster: None }) };
    let clusters = store.clusters().await?;
    let found = clusters.iter().find(|(_, name)| name.to_lowercase() == place.to_lowercase());
    let (cluster, _) = found.ok_or_else(|| {
        let known: Vec<_> = clusters.iter().map(|(_, name)| name.as_str()).collect();
        Refusal::new(
            "--role",
            format!("không có cụm «{place}»; có: {}", known.join(", ")),
            format!("there is no cluster “{place}”; there are {}", known.join(", ")),
        )
    })?;
    Ok(Grant { role, cluster: Some(*cluster) })
}

async fn add(args: AddArgs) -> anyhow::Result<()> {
    let store = app::open_store(&args.one.place.load(None)?.data).await?;
    let mut grants = Vec::new();
    for role in &args.roles {
        grants.push(grant(&store, role).await?);
    }
    let draft = AccountDraft { login: args.one.login.clone(), name: args.name, grants, ..AccountDraft::default() };
    let account = draft.checked().map_err(refused)?;
    let hash = hashed(&args.one, &account.login).await?;
    store.add_account(&actor(), &account, &hash, When::Any, Clock::machine().wall()).await?;
    store.close().await;
    say!("{}: đã thêm / added", account.login);
    Ok(())
}

async fn passwd(args: &OneArgs) -> anyhow::Result<()> {
    let (store, account) = there(args).await?;
    let hash = hashed(args, &account.login).await?;
    store.set_password(&actor(), account.id, &hash, None, Clock::machine().wall()).await?;
    store.close().await;
    say!(
        "{}: đã đặt mật khẩu mới, các phiên cũ đã kết thúc / has a new password, its sessions have ended",
        account.login
    );
    Ok(())
}

async fn able(args: &OneArgs, disabled: bool) -> anyhow::Result<()> {
    let (store, account) = there(args).await?;
    let Account { id, login, name, grants, .. } = account;
    let draft = AccountDraft { login, name, grants, disabled, ..AccountDraft::default() };
    let account = draft.checked().map_err(refused)?;
    store.update_account(&actor(), id, &account, Clock::machine().wall()).await?;
    store.close().await;
    let said = if disabled { "đã khóa / disabled" } else { "đã mở lại / enabled" };
    say!("{}: {said}", account.login);
    Ok(())
}

/// The store and the account named.
async fn there(args: &OneArgs) -> anyhow::Result<(Store, Account)> {
    let store = app::open_store_there(&args.place.load(None)?.data).await?;
    let accounts = store.accounts().await?;
    let known: Vec<_> = accounts.iter().map(|a| a.login.clone()).collect();
    let found = accounts.into_iter().find(|a| a.login.eq_ignore_ascii_case(args.login.trim()));
    let account = found.ok_or_else(|| {
        Refusal::new(
            &args.login,
            format!("không có tài khoản này; hiện có: {}", known.join(", ")),
            format!("there is no such account; there are: {}", known.join(", ")),
        )
    })?;
    Ok((store, account))
}

async fn list(place: &PlaceArgs, json: bool) -> anyhow::Result<()> {
    let store = app::open_store_there(&place.load(None)?.data).await?;
    let (accounts, clusters) = (store.accounts().await?, store.clusters().await?);
    store.close().await;
    let role = |grant: &Grant| match grant.cluster {
        None => grant.role.name().to_owned(),
        Some(id) => {
            let name = clusters.iter().find(|(cluster, _)| *cluster == id).map_or("?", |(_, name)| name.as_str());
            format!("{}@{name}", grant.role.name())
        }
    };
    if accounts.is_empty() && !json {
        say!("Chưa có tài khoản nào; thêm bằng: vonglau user add TÊN --role admin / No accounts yet");
    }
    let mut rows = Vec::new();
    for account in &accounts {
        let roles: Vec<_> = account.grants.iter().map(role).collect();
        if json {
            rows.push(serde_json::json!({
                "id": account.id, "login": account.login, "name": account.name, "roles": roles,
                "disabled": account.disabled_us.is_some(),
            }));
        } else {
            let locked = if account.disabled_us.is_some() { "\t(đã khóa / disabled)" } else { "" };
            say!("{}\t{}\t{}{locked}", account.login, account.name, roles.join(", "));
        }
    }
    if json {
        say!("{}", serde_json::to_string_pretty(&rows)?);
    }
    Ok(())
}

/// The hash of a password from its file, or typed without being shown.
async fn hashed(args: &OneArgs, login: &str) -> anyhow::Result<String> {
    let typed = match &args.password_file {
        Some(file) => std::fs::read_to_string(file).with_context(|| file.display().to_string())?,
        None => ask()?,
    };
    let typed = typed.trim_end_matches(['\r', '\n']);
    password::check(typed, login)?;
    Ok(secrets::hash(Secret::new(password::normal(typed))).await?)
}

/// One line of standard input; on a terminal its echo is off meanwhile.
fn ask() -> anyhow::Result<String> {
    let stdin = std::io::stdin();
    let before = if stdin.is_terminal() {
        super::say::err(format_args!(
            "Mật khẩu mới, ít nhất {} ký tự (không hiện khi gõ) / New password (not shown):",
            password::CHARS_LEAST
        ));
        let before = tcgetattr(&stdin)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Now, &silent)?;
        Some(before)
    } else {
        None
    };
    let mut line = String::new();
    let read = stdin.lock().read_line(&mut line);
    if let Some(before) = before {
        tcsetattr(&stdin, OptionalActions::Now, &before)?;
    }
    read?;
    Ok(line)
}
