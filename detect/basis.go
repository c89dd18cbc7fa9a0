package detect

// Basis is a place in the law or in a plan that a violation rests on.
type Basis struct {
	Code     string // as in Violation.Basis
	Citation string // as it is cited in a case file, in Chinese
}

// bases lists what the rules cite.
var bases = []Basis{
	{"road-speed", "《中华人民共和国道路交通安全法》第四十二条第一款"},
	{"road-speed-cap", "《中华人民共和国道路交通安全法实施条例》第七十八条"},
	{"haz-speed", "《危险货物道路运输安全管理办法》（交通运输部令2019年第29号）第四十六条"},
	{"coach-night-speed", "《道路运输车辆动态监督管理办法》夜间车速不得超过日间限速百分之八十的规定"},
	{"restricted-area", "《中华人民共和国道路交通安全法》第三十九条"},
	{"haz-restricted-area", "《危险货物道路运输安全管理办法》（交通运输部令2019年第29号）第四十九条"},
	{"road-protection", "《公路安全保护条例》第四十二条"},
	{"parking", "《中华人民共和国道路交通安全法》第五十六条"},
	{"plan-linxian-stop", "临县方案附件3"},
	{"plan-linxian-bound", "临县方案附件7（五）1"},
	{"plan-linxian-section", "临县方案附件7（六）1"},
	{"plan-linxian-route", "临县方案附件7（六）2"},
	{"plan-jincheng-route", "晋城市城区方案三.7"},
	{"plan-yunxi-filing", "岳阳市云溪区工作要点十一"},
	{"driving-4h", "《中华人民共和国道路交通安全法实施条例》第六十二条第七项"},
	{"driving-night", "《机动车驾驶人疲劳驾驶认定规则》（GA/T 2372—2026）"},
	{"monitoring-night", "《道路运输车辆动态监督管理办法》关于夜间连续驾驶不超过2小时、24小时累计驾驶不超过8小时的规定"},
	{"driving-7d", "《道路旅客运输企业安全管理规范》第三十八条"},
	{"plan-jincheng-severe", "晋城市城区方案三.6（本地口径）"},
	{"night-stop", "《国务院关于加强道路交通安全工作的意见》（国发〔2012〕30号）"},
	{"relay", "《道路客运接驳运输管理办法》（交运规〔2023〕2号）第三十二条"},
	{"overlimit", "《超限运输车辆行驶公路管理规定》第三条"},
	{"overlimit-fine", "《超限运输车辆行驶公路管理规定》第四十三条"},
	{"overlimit-permit", "《超限运输车辆行驶公路管理规定》第四十四条"},
	{"weigh-evasion", "《公路安全保护条例》第六十七条"},
	{"weigh-evaded-mark", "《公路货运车辆不停车超限超载检测系统》附录B表B.1逃避检测标志（isEscape）"},
	{"plan-linxian-hundred-tonne", "临县方案关于百吨王的规定"},
	{"plan-jincheng-waybill", "晋城市城区方案关于电子运单的规定"},
	{"plan-yunxi-waybill", "岳阳市云溪区工作要点关于电子运单的规定"},
	{"plan-jincheng-monitoring", "晋城市城区方案三.6"},
	{"plan-linxian-monitoring", "临县方案附件7（六）2"},
	{"monitoring-tampering", "《道路运输车辆动态监督管理办法》关于不得人为干扰、屏蔽卫星定位装置信号的规定"},
	{"overcrowding", "《中华人民共和国道路交通安全法》第四十九条"},
	{"plan-linxian-tampering", "临县方案关于人为干扰、屏蔽卫星定位信号的规定"},
	{"plan-shangdang-behavior", "长治市上党区方案二.5"},
	{"plan-jincheng-warning", "晋城市城区方案三.19"},
	{"jtt808-alarm", "《道路运输车辆卫星定位系统 终端通信协议及数据格式》（JT/T 808）位置信息汇报报警标志"},
	{"monitoring-online", "《道路运输车辆动态监督管理办法》第二十六条"},
}

// Bases lists every basis that the rules cite.
func Bases() []Basis { return bases }
