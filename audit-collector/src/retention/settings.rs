//! The settings of retention.

use shared::event::Class;
use shared::runtime::settings::{Reader, Setting};

use super::{Keeping, Periods};

const ACCESS: Setting = Setting::new("retention_access_days", "90", "days that access events are kept");
const AUTH: Setting = Setting::new(
    "retention_auth_days",
    "400",
    "days that sign-ins and tokens are kept",
);
const ADMIN: Setting = Setting::new(
    "retention_admin_days",
    "400",
    "days that changes by administrators and reads of the log are kept",
);
const SYSTEM: Setting = Setting::new(
    "retention_system_days",
    "90",
    "days that what services say of themselves is kept",
);
const ALERT: Setting = Setting::new("retention_alert_days", "1095", "days that alerts are kept");

/// Every one.
pub(crate) const ALL: [Setting; 5] = [ACCESS, AUTH, ADMIN, SYSTEM, ALERT];

/// Reads them. A shorter time than the one in force needs somebody's consent beside (`docs/retention.md`).
pub(crate) fn read(reader: &mut Reader) -> Option<Periods> {
    let classes = [
        Class::Access,
        Class::Auth,
        Class::Admin,
        Class::System,
        Class::Alert,
    ];
    let mut keeping = Vec::new();
    for (class, setting) in classes.into_iter().zip(&ALL) {
        let days: Option<u32> = reader.value(setting);
        if days.is_some_and(|days| !Keeping::DAYS.contains(&days)) {
            reader.problem(format!(
                "retention_{class}_days is from 1 to {}",
                Keeping::DAYS.end()
            ));
        }
        keeping.push(days.map(|days| Keeping { class, days }));
    }
    keeping.into_iter().collect::<Option<Vec<_>>>().map(Periods::new)
}
