//! A small province for the tests of this crate, before and after 1 July 2025, and short ways to speak of it.

use lgsp_types::{AgencyCode, AgencyId, DocumentDate, DocumentTime, SystemId, UnixMs};

use crate::{ChangeSet, Control, Void, plan_import};

/// Two provinces merge. `vp.tttt` -> `vp.khcn` -> `pt.khcn`; `vp.tp` -> `pt.tp`; `vp.gone` has no successor, `pt.mute`
/// no connector.
pub(crate) const PROVINCE: &str = r#"
format = 1

[[agency]]
id = "pt"
kind = "province"
names = ["UBND tỉnh Phú Thọ"]
codes = ["H44", { is = "000.00.00.H44", to = 2022-12-31 }]

[[agency]]
id = "vp"
kind = "province"
to = 2025-06-30
names = ["UBND tỉnh Vĩnh Phúc"]
codes = ["H62", "000.00.00.H62"]
successors = ["pt"]
legal_basis = "NQ 202/2025/QH15"

[[agency]]
id = "vp.tttt"
kind = "department"
to = 2025-02-28
names = [{ is = "Sở Bưu chính, Viễn thông", to = 2008-12-31 }, { is = "Sở Thông tin và Truyền thông", from = 2009-01-01 }]
codes = [{ is = "H62.11", from = 2021-01-01 }, { is = "000.00.11.H62", from = 2016-04-01 }]
parents = ["vp"]
successors = ["vp.khcn"]

[[agency]]
id = "vp.khcn"
kind = "department"
to = 2025-06-30
names = ["Sở Khoa học và Công nghệ"]
codes = ["H62.10"]
parents = ["vp"]
successors = ["pt.khcn"]

[[agency]]
id = "vp.tp"
kind = "department"
to = 2025-06-30
names = ["Sở Tư pháp"]
codes = ["H62.14", "000.00.14.H62"]
parents = ["vp"]
successors = ["pt.tp"]
sends_until = 2025-07-31

[[agency]]
id = "vp.gone"
kind = "unit"
to = 2025-06-30
names = ["Ban quản lý đã giải thể"]
codes = ["H62.99"]
parents = ["vp"]

[[agency]]
id = "pt.khcn"
kind = "department"
from = 2025-07-01
names = ["Sở Khoa học và Công nghệ tỉnh Phú Thọ"]
codes = ["H44.10"]
parents = ["pt"]

[[agency]]
id = "pt.tp"
kind = "department"
from = 2025-07-01
names = ["Sở Tư pháp tỉnh Phú Thọ"]
codes = ["H44.14"]
parents = ["pt"]

[[agency]]
id = "pt.mute"
kind = "unit"
names = ["Đơn vị chưa kết nối"]
codes = ["H44.90.01"]
parents = ["pt"]

[[system]]
id = "khcn.dms"
agency = "pt.khcn"
speaks_for = ["H44.10", "H62.10", "000.00.11.H62"]
secret_ref = "khcn.dms"
key_id = "k1"

[[system]]
id = "tp.dms"
agency = "pt.tp"
speaks_for = ["H44.14", "H62.14"]

[[system]]
id = "office"
agency = "pt"
speaks_for = ["H62.*", "H44"]
to = 2026-12-31

[[connector]]
id = "khcn.vxp"
system = "khcn.dms"
adapter = "edxml-vxp"
mode = "pull"
collect_within_hours = 24

[[connector]]
id = "tp.vxp"
system = "tp.dms"
adapter = "edxml-vxp"
mode = "pull"

[[connector]]
id = "office.push"
system = "office"
adapter = "edxml-vxp"
mode = "push"
receives_for = ["H62", "H44"]

[[grant]]
id = "office"
contracts = ["vn.lgsp.document/1"]
senders = ["H62.*", "H44.*"]
addressees = ["H62.*", "H44.*"]
purposes = ["office"]
"#;

/// The registry that these files make, imported one after the other; any mistake is shown.
pub(crate) fn control(files: &[(&str, &str)]) -> Control {
    let mut control = Control::default();
    for (name, text) in files {
        import(&mut control, name, text);
    }
    control
}

/// Imports a file as a node would; answers how many objects changed.
pub(crate) fn import(control: &mut Control, name: &str, text: &str) -> usize {
    let plan = plan_import(control, name, text).unwrap_or_else(|errors| panic!("{errors:#?}"));
    assert_eq!(plan.left, [], "{name}");
    let mut objects = 0;
    for change_set in &plan.change_sets {
        apply(control, &change_set.bytes).unwrap();
        objects += change_set.objects;
    }
    objects
}

pub(crate) fn apply(control: &mut Control, bytes: &[u8]) -> Result<(), Void> {
    control.apply(ChangeSet::event_id(bytes), bytes)
}

pub(crate) fn day(text: &str) -> DocumentDate {
    DocumentDate::parse_iso(text).unwrap()
}

/// Noon in Vietnam.
pub(crate) fn noon(day: &str) -> UnixMs {
    DocumentTime::parse(&format!("{} 12:00:00", day.replace('-', "/")))
        .unwrap()
        .unix_ms()
}

pub(crate) fn code(text: &str) -> AgencyCode {
    AgencyCode::parse(text).unwrap()
}

pub(crate) fn agency(text: &str) -> AgencyId {
    AgencyId::parse(text).unwrap()
}

pub(crate) fn system(text: &str) -> SystemId {
    SystemId::parse(text).unwrap()
}
