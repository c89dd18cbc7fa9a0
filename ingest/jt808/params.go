package jt808

import (
	"fmt"
	"strconv"

	wire "lushao/ingest/fields"
)

// Ids of parameters that the platform uses, of 0x8103; paramTypes has all.
const (
	ParamHeartbeat         uint32 = 0x0001 // s
	ParamMainServer        uint32 = 0x0013
	ParamReportStrategy    uint32 = 0x0020
	ParamIntervalSleep     uint32 = 0x0027 // s
	ParamIntervalEmergency uint32 = 0x0028 // s
	ParamIntervalDefault   uint32 = 0x0029 // s
	ParamFenceRadius       uint32 = 0x0031 // m
	ParamForbiddenHours    uint32 = 0x0032 // 2019
	ParamMaxSpeed          uint32 = 0x0055 // km/h
	ParamOverspeedSeconds  uint32 = 0x0056 // s
	ParamDrivingLimit      uint32 = 0x0057 // s
	ParamDailyLimit        uint32 = 0x0058 // s
	ParamMinRest           uint32 = 0x0059 // s
	ParamOdometer          uint32 = 0x0080 // 0.1 km
	ParamPlate             uint32 = 0x0083
	ParamPlateColor        uint32 = 0x0084
	ParamAV                uint32 = 0x0075 // JT/T 1078
	ParamAVChannels        uint32 = 0x0076
	ParamChannelVideo      uint32 = 0x0077
	ParamSpecialRecording  uint32 = 0x0079
	ParamVideoAlarmMask    uint32 = 0x007A
	ParamVideoAnalysis     uint32 = 0x007B
	ParamSleepWake         uint32 = 0x007C
	ParamADAS              uint32 = 0xF364 // T/JSATL 12
	ParamDSM               uint32 = 0xF365
	ParamTPMS              uint32 = 0xF366
	ParamBSD               uint32 = 0xF367
)

// Parameter is a setting of a terminal. A setting of several values comes as several parameters of one id.
type Parameter struct {
	ID    uint32
	Value []byte // at most 255 bytes; see Uint, Text and Struct
}

// Uint is the value as a number of 1 to 8 bytes, whatever width the device chose.
func (p Parameter) Uint() (v uint64, ok bool) {
	if len(p.Value) == 0 || len(p.Value) > 8 {
		return 0, false
	}
	for _, c := range p.Value {
		v = v<<8 | uint64(c)
	}
	return v, true
}

// Text is the value as a text.
func (p Parameter) Text() Text { return Text(p.Value) }

// Struct reads the value of a parameter that is a structure, such as *AVParams for ParamAV; nil where the id has none or
// the value is not of its layout.
func (p Parameter) Struct() Body {
	s, ok := paramStructs[p.ID]
	if !ok {
		return nil
	}
	m := s()
	if n, err := decodeBody(p.Value, EditionAuto, m); err != nil || n != len(p.Value) {
		return nil
	}
	return m
}

// Uint32Param, Uint16Param, Uint8Param, TextParam and StructParam make parameters.
func Uint32Param(id, v uint32) Parameter { return Parameter{id, wire.AppendUint(nil, 4, uint64(v))} }

// Uint16Param makes a parameter of a WORD.
func Uint16Param(id uint32, v uint16) Parameter {
	return Parameter{id, wire.AppendUint(nil, 2, uint64(v))}
}

// Uint8Param makes a parameter of a BYTE.
func Uint8Param(id uint32, v uint8) Parameter { return Parameter{id, []byte{v}} }

// TextParam makes a parameter of a text.
func TextParam(id uint32, v Text) Parameter { return Parameter{id, []byte(v)} }

// StructParam makes a parameter of a structure.
func StructParam(id uint32, m Body) Parameter { return Parameter{id, AppendBody(nil, EditionAuto, m)} }

// Parameters is a list of parameters, as in 0x8103. Terminals are known that send a broken tail: the items before it are
// kept, Err says what is wrong, and Tail has the bytes.
type Parameters struct {
	Count uint8 // as decoded; encoding counts the items unless this is more
	Items []Parameter
	Err   error
	Tail  []byte
}

func (m *Parameters) walk(f *fields) {
	items := m.Items[:min(len(m.Items), 255)]
	m2 := max(m.Count, uint8(len(items)))
	f.U8("count", &m2)
	switch f.Mode {
	case wire.Decoding:
		m.Count = m2
		m.read(f)
	case wire.Encoding:
		for i := range items {
			walkParameter(f, &items[i])
		}
		f.Out = append(f.Out, m.Tail...)
	case wire.Describing:
		wire.ListRest(f, "params", &items, walkParameter)
		if m.Err != nil {
			f.Note("params_error", m.Err.Error())
			f.Key("params_tail")
			f.Out = wire.AppendHex(f.Out, m.Tail)
		}
	}
}

func (m *Parameters) read(f *fields) {
	if f.Err != nil {
		return
	}
	for i := range int(m.Count) {
		at := f.At
		if f.Left() <= 0 {
			m.Err = &Error{ErrShort, "count", at, fmt.Sprintf("says %d, the body ends after %d", m.Count, i)}
			break
		}
		wire.DecodeItem(f, &m.Items, walkParameter)
		if f.Err != nil {
			m.Err, f.Err, f.At = own(f.Err), nil, at
			m.Tail = f.Take(f.Left(), "tail")
			break
		}
	}
}

func walkParameter(f *fields, p *Parameter) {
	f.U32("id", &p.ID)
	if f.Mode == wire.Describing {
		describeParameter(f, p)
		return
	}
	f.BytesLen("len", "value", 1, &p.Value)
}

// SetParameters is 0x8103.
type SetParameters = Parameters

// ParametersReply is 0x0104, the answer to 0x8104 and 0x8106.
type ParametersReply struct {
	Serial uint16 // of the question
	Parameters
}

func (m *ParametersReply) walk(f *fields) {
	f.U16("ack_serial", &m.Serial)
	m.Parameters.walk(f)
}

// QueryParameters is 0x8106.
type QueryParameters struct{ IDs []uint32 }

func (m *QueryParameters) walk(f *fields) { wire.Numbers(f, "count", "ids", 1, 4, &m.IDs) }

// describeParameter gives the name of the id, and the value by its type: a number, a text, an object, else hex.
func describeParameter(f *fields, p *Parameter) {
	t, known := paramTypes[p.ID]
	if p.ID > 0x0110 && p.ID <= 0x01FF {
		t, known = paramType{"can_id_sample_n", paramBytes}, true
	}
	if known {
		f.Note("name", t.name)
	}
	f.Int("len", int64(len(p.Value)))
	f.Key("value")
	v, isNumber := p.Uint()
	s := p.Struct()
	switch {
	case known && t.kind == paramNumber && isNumber:
		f.Out = strconv.AppendUint(f.Out, v, 10)
	case known && t.kind == paramText:
		f.Out = wire.AppendString(f.Out, p.Text().String())
	case s != nil:
		f.Object(func() { s.walk(f) })
	default:
		f.Out = wire.AppendHex(f.Out, p.Value)
	}
}

type paramKind uint8

const (
	paramNumber paramKind = iota
	paramText
	paramBytes
)

type paramType struct {
	name string
	kind paramKind
}

var paramTypes = map[uint32]paramType{
	0x0001: {"heartbeat_interval", paramNumber}, 0x0002: {"tcp_timeout", paramNumber}, 0x0003: {"tcp_retries", paramNumber},
	0x0004: {"udp_timeout", paramNumber}, 0x0005: {"udp_retries", paramNumber}, 0x0006: {"sms_timeout", paramNumber},
	0x0007: {"sms_retries", paramNumber}, 0x0010: {"main_apn", paramText}, 0x0011: {"main_dial_user", paramText},
	0x0012: {"main_dial_password", paramText}, 0x0013: {"main_server", paramText}, 0x0014: {"backup_apn", paramText},
	0x0015: {"backup_dial_user", paramText}, 0x0016: {"backup_dial_password", paramText}, 0x0017: {"backup_server", paramText},
	0x0018: {"server_tcp_port", paramNumber}, 0x0019: {"server_udp_port", paramNumber},
	0x001A: {"ic_auth_main_server", paramText}, 0x001B: {"ic_auth_tcp_port", paramNumber},
	0x001C: {"ic_auth_udp_port", paramNumber}, 0x001D: {"ic_auth_backup_server", paramText},
	0x0020: {"report_strategy", paramNumber}, 0x0021: {"report_plan", paramNumber}, 0x0022: {"interval_no_login", paramNumber},
	0x0023: {"slave_apn", paramText}, 0x0024: {"slave_dial_user", paramText}, 0x0025: {"slave_dial_password", paramText},
	0x0026: {"slave_server", paramText}, 0x0027: {"interval_sleep", paramNumber}, 0x0028: {"interval_emergency", paramNumber},
	0x0029: {"interval_default", paramNumber}, 0x002C: {"distance_default", paramNumber},
	0x002D: {"distance_no_login", paramNumber}, 0x002E: {"distance_sleep", paramNumber},
	0x002F: {"distance_emergency", paramNumber}, 0x0030: {"corner_angle", paramNumber}, 0x0031: {"fence_radius", paramNumber},
	0x0032: {"forbidden_hours", paramBytes}, 0x0040: {"platform_phone", paramText}, 0x0041: {"reset_phone", paramText},
	0x0042: {"factory_reset_phone", paramText}, 0x0043: {"platform_sms_phone", paramText},
	0x0044: {"sms_alarm_phone", paramText}, 0x0045: {"answer_strategy", paramNumber}, 0x0046: {"call_max_seconds", paramNumber},
	0x0047: {"month_call_max_seconds", paramNumber}, 0x0048: {"listen_phone", paramText},
	0x0049: {"privileged_sms_phone", paramText}, 0x0050: {"alarm_mask", paramNumber}, 0x0051: {"alarm_sms_switch", paramNumber},
	0x0052: {"alarm_photo_switch", paramNumber}, 0x0053: {"alarm_photo_store", paramNumber},
	0x0054: {"alarm_critical", paramNumber}, 0x0055: {"max_speed", paramNumber}, 0x0056: {"overspeed_seconds", paramNumber},
	0x0057: {"continuous_driving_limit", paramNumber}, 0x0058: {"daily_driving_limit", paramNumber},
	0x0059: {"min_rest", paramNumber}, 0x005A: {"max_parking", paramNumber}, 0x005B: {"overspeed_prealarm_diff", paramNumber},
	0x005C: {"fatigue_prealarm_diff", paramNumber}, 0x005D: {"collision_param", paramNumber},
	0x005E: {"rollover_angle", paramNumber}, 0x0064: {"timed_photo", paramNumber}, 0x0065: {"distance_photo", paramNumber},
	0x0070: {"media_quality", paramNumber}, 0x0071: {"brightness", paramNumber}, 0x0072: {"contrast", paramNumber},
	0x0073: {"saturation", paramNumber}, 0x0074: {"chroma", paramNumber}, 0x0075: {"av_params", paramBytes},
	0x0076: {"av_channels", paramBytes}, 0x0077: {"channel_video_params", paramBytes},
	0x0079: {"special_alarm_record", paramBytes}, 0x007A: {"video_alarm_mask", paramNumber},
	0x007B: {"video_analysis", paramBytes}, 0x007C: {"sleep_wake", paramBytes}, 0x0080: {"odometer", paramNumber},
	0x0081: {"province_id", paramNumber}, 0x0082: {"city_id", paramNumber}, 0x0083: {"plate", paramText},
	0x0084: {"plate_color", paramNumber}, 0x0090: {"gnss_mode", paramNumber}, 0x0091: {"gnss_baud", paramNumber},
	0x0092: {"gnss_output_rate", paramNumber}, 0x0093: {"gnss_sample_period", paramNumber},
	0x0094: {"gnss_upload_mode", paramNumber}, 0x0095: {"gnss_upload_setting", paramNumber},
	0x0100: {"can1_sample", paramNumber}, 0x0101: {"can1_upload", paramNumber}, 0x0102: {"can2_sample", paramNumber},
	0x0103: {"can2_upload", paramNumber}, 0x0110: {"can_id_sample", paramBytes}, 0xF364: {"adas_params", paramBytes},
	0xF365: {"dsm_params", paramBytes}, 0xF366: {"tpms_params", paramBytes}, 0xF367: {"bsd_params", paramBytes},
	0xF370: {"smart_video_version", paramNumber},
}

var paramStructs = map[uint32]func() Body{
	ParamAV: body[AVParams], ParamAVChannels: body[AVChannels], ParamChannelVideo: body[ChannelVideoList],
	ParamSpecialRecording: body[SpecialRecording], ParamVideoAnalysis: body[VideoAnalysis], ParamSleepWake: body[SleepWake],
	ParamADAS: body[ADASParams], ParamDSM: body[DSMParams], ParamTPMS: body[TPMSParams], ParamBSD: body[BSDParams],
}
