package inferior

import (
	"fmt"

	"lushao/ingest/platform"
)

// warnType is the alarm type of a kind of violation for the peer; alarms.types has its own numbers.
func (p *peer) warnType(kind string) uint16 {
	if n, ok := p.cfg.Alarms.Types[kind]; ok {
		return n
	}
	return platform.WarnType(kind, p.edition)
}

// kindWords are the words for a kind in the text of an alarm.
var kindWords = map[string]string{
	"speeding": "超速驾驶", "section_speeding": "区间超速", "fatigue_continuous": "连续驾驶超时", "fatigue_night": "夜间连续驾驶超时",
	"fatigue_daily": "24小时累计驾驶超时", "fatigue_weekly": "7日累计驾驶超时", "fatigue_severe": "严重疲劳驾驶", "night_driving": "凌晨2至5时违规运行",
	"fence_entry": "驶入禁行区域", "fence_crossing": "穿越禁行区域", "fence_exit": "驶出限定区域", "fence_stop": "禁停区域停车", "fence_stay": "区域超时停留",
	"route_deviation": "不按规定线路行驶", "unfiled_entry": "外籍危货车辆未备案入境", "no_waybill": "危货无电子运单运行", "overload": "超限超载",
	"hundred_tonne": "百吨王", "oversize": "外廓尺寸超限", "permit_mismatch": "大件车证不符", "weigh_evasion": "逃避检测", "gone_dark": "脱离动态监控",
	"offline_displacement": "离线位移", "unmonitored_running": "未上线运行", "position_conflict": "疑似套牌或轨迹造假", "tampering": "人为干扰、屏蔽信号",
	"frozen_position": "定位冻结", "overcrowding": "超员", "driver_behavior": "驾驶员不良行为", "collision_risk": "主动安全预警", "terminal_alarm": "终端报警",
}

// alarmText is the text of an alarm, for people.
func alarmText(v *violation) string {
	s := kindWords[v.Kind]
	if s == "" {
		s = v.Kind
	}
	if v.Measured != nil {
		unit := ""
		if v.Unit != nil {
			unit = *v.Unit
		}
		s += fmt.Sprintf("，实测%.1f%s", *v.Measured, unit)
		if v.Limit != nil {
			s += fmt.Sprintf("，限值%.1f%s", *v.Limit, unit)
		}
	}
	return s
}
