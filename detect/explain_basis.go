package detect

// basesInEnglish are the citations of bases in English. The Chinese ones are what is cited.
var basesInEnglish = map[string]string{
	"road-speed":                 "Road Traffic Safety Law, art. 42 (1)",
	"road-speed-cap":             "Regulation on the Implementation of the Road Traffic Safety Law, art. 78",
	"haz-speed":                  "Measures for the Safety of Road Transport of Dangerous Goods (Ministry of Transport, order 29 of 2019), art. 46",
	"coach-night-speed":          "Measures for the Dynamic Monitoring of Road Transport Vehicles: speed at night at most 80 % of the day limit",
	"restricted-area":            "Road Traffic Safety Law, art. 39",
	"haz-restricted-area":        "Measures for the Safety of Road Transport of Dangerous Goods (Ministry of Transport, order 29 of 2019), art. 49",
	"road-protection":            "Regulation on the Protection of Highway Safety, art. 42",
	"parking":                    "Road Traffic Safety Law, art. 56",
	"plan-linxian-stop":          "Plan of Linxian, annex 3",
	"plan-linxian-bound":         "Plan of Linxian, annex 7 (5) 1",
	"plan-linxian-section":       "Plan of Linxian, annex 7 (6) 1",
	"plan-linxian-route":         "Plan of Linxian, annex 7 (6) 2",
	"plan-jincheng-route":        "Plan of Jincheng's urban district, 3.7",
	"plan-yunxi-filing":          "Priorities of Yunxi district, Yueyang, 11",
	"driving-4h":                 "Regulation on the Implementation of the Road Traffic Safety Law, art. 62 (7)",
	"driving-night":              "Rules for the Determination of Fatigued Driving (GA/T 2372-2026)",
	"monitoring-night":           "Measures for the Dynamic Monitoring of Road Transport Vehicles: at most 2 h of driving in one piece at night, 8 h in 24 h",
	"driving-7d":                 "Safety Management of Road Passenger Transport Enterprises, art. 38",
	"plan-jincheng-severe":       "Plan of Jincheng's urban district, 3.6 (a local definition)",
	"night-stop":                 "Opinions of the State Council on Strengthening Road Traffic Safety (Guofa 2012, no. 30)",
	"relay":                      "Measures for Relays in Road Passenger Transport (Jiaoyungui 2023, no. 2), art. 32",
	"overlimit":                  "Provisions on Over-limit Vehicles on Highways, art. 3",
	"overlimit-fine":             "Provisions on Over-limit Vehicles on Highways, art. 43",
	"overlimit-permit":           "Provisions on Over-limit Vehicles on Highways, art. 44",
	"plan-linxian-hundred-tonne": "Plan of Linxian on vehicles of a hundred tonnes",
	"plan-jincheng-waybill":      "Plan of Jincheng's urban district on electronic waybills",
	"plan-yunxi-waybill":         "Priorities of Yunxi district, Yueyang, on electronic waybills",
	"plan-jincheng-monitoring":   "Plan of Jincheng's urban district, 3.6",
	"plan-linxian-monitoring":    "Plan of Linxian, annex 7 (6) 2",
	"weigh-evasion":              "Regulation on the Protection of Highway Safety, art. 67",
	"weigh-evaded-mark":          "Non-stop Overload Detection Systems for Highway Trucks, annex B table B.1, mark of evasion (isEscape)",
	"plan-linxian-tampering":     "Plan of Linxian on jamming and shielding of signals",
	"monitoring-tampering":       "Measures for the Dynamic Monitoring of Road Transport Vehicles: signals of satellite positioning must not be jammed or shielded",
	"overcrowding":               "Road Traffic Safety Law, art. 49",
	"plan-shangdang-behavior":    "Plan of Shangdang district, Changzhi, 2.5",
	"plan-jincheng-warning":      "Plan of Jincheng's urban district, 3.19",
	"jtt808-alarm":               "JT/T 808, alarm word of the location report",
	"monitoring-online":          "Measures for the Dynamic Monitoring of Road Transport Vehicles, art. 26",
}

// basisText returns a citation; of a code that this version does not know the code.
func basisText(code string) Text {
	out := Text{code, code}
	for i := range bases {
		if bases[i].Code == code {
			out.Zh = bases[i].Citation
		}
	}
	if en := basesInEnglish[code]; en != "" {
		out.En = en
	}
	return out
}
