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
	{"overlimit", "《超限运输车辆行驶公路管理规定》第三条"},
	{"overlimit-fine", "《超限运输车辆行驶公路管理规定》第四十三条"},
	{"overlimit-permit", "《超限运输车辆行驶公路管理规定》第四十四条"},
}

// Bases lists every basis that the rules cite.
func Bases() []Basis { return bases }
