package jt809

const (
	supervisionSizeShort = 90 // of one program, with a mail address of 30 bytes
	supervisionSize2011  = 92
	supervisionSize2019  = 102

	supervisionReplySize2011   = 5
	supervisionReplySizeSource = 7 // of one source, 2019 without supervision_id
	supervisionReplySize2019   = 11
)

// Supervision is 0x9401: the superior urges the handling of an alarm (督办).
type Supervision struct {
	WarnSrc            uint8  // not in 2019
	WarnType           uint16 // not in 2019
	SrcPlatformID      Text   // 11 bytes: the platform that raised the alarm; 2019
	WarnTime           Seconds
	SupervisionID      uint32 // to be repeated in 0x1401; not in 2019, where the serial of the message is
	Source                    // the 0x1402 of the alarm; 2019
	SupervisionEndTime Seconds
	SupervisionLevel   uint8
	Supervisor         Text // 16 bytes
	SupervisorTel      Text // 20 bytes
	SupervisorEmail    Text // 32 bytes
	// Layout is the length of the data where they have another layout than the edition's: 90 with a mail address of 30
	// bytes, 92 of 2011, 102 of 2019. 0 is the edition's own.
	Layout uint16
}

// supervisor walks who urges, and until when.
func (f *fields) supervisor(until *Seconds, level *uint8, name, tel, email *Text, emailSize int) {
	f.seconds("supervision_end_time", until)
	f.Code8("supervision_level", level, levels)
	f.Text("supervisor", 16, zeroEnd, name)
	f.Text("supervisor_tel", 20, zeroEnd, tel)
	f.Text("supervisor_email", emailSize, zeroEnd, email)
}

func (m *Supervision) walk(f *fields) {
	usual := supervisionSize2011
	if f.has(FeatureAlarmPeriod) {
		usual = supervisionSize2019
	}
	size := f.layoutSize(&m.Layout, usual, supervisionSizeShort, supervisionSize2011, supervisionSize2019)
	email := 32
	switch size {
	case supervisionSize2019:
		f.platformID("src_platform_id", &m.SrcPlatformID)
		f.seconds("warn_time", &m.WarnTime)
		f.sourceFields(&m.Source)
	case supervisionSizeShort:
		email = 30
		fallthrough
	default:
		f.Code8("warn_src", &m.WarnSrc, warnSources)
		f.warnType(&m.WarnType)
		f.seconds("warn_time", &m.WarnTime)
		f.U32("supervision_id", &m.SupervisionID)
	}
	f.supervisor(&m.SupervisionEndTime, &m.SupervisionLevel, &m.Supervisor, &m.SupervisorTel, &m.SupervisorEmail, email)
}

// SupervisionReply is 0x1401: what became of an alarm that was urged.
type SupervisionReply struct {
	SupervisionID uint32 // of the 0x9401; in 2019 its serial
	Source               // the 0x1402 of the alarm; 2019
	Result        uint8
	// Layout is the length of the data where they have another layout than the edition's: 5 of 2011, 7 with Source alone,
	// 11 of 2019. 0 is the edition's own.
	Layout uint16
}

func (m *SupervisionReply) walk(f *fields) {
	usual := supervisionReplySize2011
	if f.has(FeatureSource) {
		usual = supervisionReplySize2019
	}
	size := f.layoutSize(&m.Layout, usual, supervisionReplySize2011, supervisionReplySizeSource, supervisionReplySize2019)
	if size != supervisionReplySizeSource {
		f.U32("supervision_id", &m.SupervisionID)
	}
	if size != supervisionReplySize2011 {
		f.sourceFields(&m.Source)
	}
	f.Code8("result", &m.Result, handlings)
}

// SupervisionSent is 0x1413: the inferior tells that it urged a platform of its own. 2019 only.
type SupervisionSent struct {
	SrcPlatformID      Text // 11 bytes: the platform that urged
	WarnTime           Seconds
	Source             // the alarm
	SupervisionEndTime Seconds
	SupervisionLevel   uint8
	Supervisor         Text // 16 bytes
	SupervisorTel      Text // 20 bytes
	SupervisorEmail    Text // 32 bytes
}

func (m *SupervisionSent) walk(f *fields) {
	f.platformID("src_platform_id", &m.SrcPlatformID)
	f.seconds("warn_time", &m.WarnTime)
	f.sourceFields(&m.Source)
	f.supervisor(&m.SupervisionEndTime, &m.SupervisionLevel, &m.Supervisor, &m.SupervisorTel, &m.SupervisorEmail, 32)
}
