//! Who may do what where: role × action, and the places of a role.
//!
//! Deny by default: a role has the actions listed here and no others. Roles add up; which one an action was done by is
//! the first that allows it, in the order of [`Role::ALL`], those for all cameras before those for a cluster.

use std::collections::BTreeSet;

use crate::domain::{
    account::{Action, Grant, Role},
    ids::ClusterId,
};

/// Whether a role has an action.
#[must_use]
pub const fn allows(role: Role, action: Action) -> bool {
    use Action::{
        Audit, Configure, Export, Follow, Judge, Live, Lock, Playback, Public, Search, Signed, State, Uptime, Users,
    };
    match action {
        Public | Signed => true,
        State => matches!(role, Role::Police | Role::Duty | Role::Office | Role::Admin),
        // Not the office: its pictures are to be blurred first. Whoever sets cameras up has to see what they show.
        Live => matches!(role, Role::Police | Role::Duty | Role::Admin),
        Playback | Search | Judge | Follow | Export | Lock => matches!(role, Role::Police),
        Configure | Users => matches!(role, Role::Admin),
        Audit => matches!(role, Role::Auditor),
        Uptime => matches!(role, Role::Police | Role::Office | Role::Upper | Role::Admin),
    }
}

/// Where an action is allowed, and by which role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    /// The role the log names.
    pub role: Role,
    /// The clusters; `None`: all cameras, those in no cluster too.
    pub clusters: Option<BTreeSet<ClusterId>>,
}

/// What somebody with these grants may do; `None`: nothing of the kind.
#[must_use]
pub fn right(grants: &[Grant], action: Action) -> Option<Right> {
    let fit = |grant: &&Grant| allows(grant.role, action);
    let first = |all: &mut dyn Iterator<Item = Role>| all.min();
    let everywhere = first(&mut grants.iter().filter(fit).filter(|g| g.cluster.is_none()).map(|g| g.role));
    if let Some(role) = everywhere {
        return Some(Right { role, clusters: None });
    }
    let role = first(&mut grants.iter().filter(fit).map(|g| g.role))?;
    let clusters = grants.iter().filter(fit).filter_map(|g| g.cluster).collect();
    Some(Right { role, clusters: Some(clusters) })
}

/// All actions somebody may do somewhere.
#[must_use]
pub fn actions(grants: &[Grant]) -> Vec<Action> {
    Action::ALL.into_iter().filter(|action| right(grants, *action).is_some()).collect()
}

/// Whether nothing but what is now can be looked at: such a session shows the live wall and may stand unattended.
#[must_use]
pub fn is_wall_only(grants: &[Grant]) -> bool {
    !grants.is_empty() && grants.iter().all(|grant| grant.role == Role::Duty)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(role: Role, cluster: Option<i64>) -> Grant {
        Grant {
            role,
            cluster: match cluster {
                Some(id) => Some(ClusterId(id)),
                None => None,
            },
        }
    }

    #[test]
    fn roles_add_up_and_the_one_used_is_named() {
        let both = [at(Role::Admin, None), at(Role::Police, Some(3)), at(Role::Duty, Some(4))];
        let live = right(&both, Action::Live).unwrap();
        assert_eq!(live, Right { role: Role::Admin, clusters: None });
        let playback = right(&both, Action::Playback).unwrap();
        assert_eq!(playback, Right { role: Role::Police, clusters: Some([ClusterId(3)].into()) });
        assert_eq!(right(&both, Action::Audit), None);
        let watching = right(&both[1..], Action::Live).unwrap();
        assert_eq!(watching.clusters, Some([ClusterId(3), ClusterId(4)].into()));
        assert_eq!(watching.role, Role::Police);
    }

    #[test]
    fn nobody_without_a_role_may_do_anything() {
        for action in Action::ALL {
            assert_eq!(right(&[], action), None, "{action:?}");
        }
        assert!(!is_wall_only(&[]));
        assert!(is_wall_only(&[at(Role::Duty, None)]) && !is_wall_only(&[at(Role::Duty, None), at(Role::Admin, None)]));
    }

    #[test]
    fn the_upper_unit_and_the_office_never_get_a_picture() {
        for role in [Role::Upper, Role::Office, Role::Auditor] {
            for action in [Action::Live, Action::Playback, Action::Search, Action::Export, Action::Follow] {
                assert!(!allows(role, action), "{role:?} {action:?}");
            }
        }
    }
}
