package jt809

// Edition is an edition of JT/T 809.
type Edition uint8

const (
	EditionAuto Edition = 0 // not known; headers are told apart by their layout, bodies are read as 2013
	Edition2011 Edition = 1 // JT/T 809-2011
	Edition2013 Edition = 2 // JT/T 809-2011 with its supplement of 2013
	Edition2019 Edition = 3 // JT/T 809-2019
)

var editionNames = [...]string{"auto", "2011", "2013", "2019"}

func (e Edition) String() string {
	if int(e) < len(editionNames) {
		return editionNames[e]
	}
	return "unknown"
}

// ParseEdition reads "auto", "2011", "2013" or "2019".
func ParseEdition(s string) (Edition, bool) {
	for i, n := range editionNames {
		if n == s {
			return Edition(i), true
		}
	}
	return EditionAuto, false
}

// Feature is a difference between the editions that changes a layout.
type Feature uint8

const (
	FeatureLongModel      Feature = iota // 0x1201: model of 20 bytes
	FeatureObject                        // 0x13xx, 0x93xx: type and id of the object asked
	FeatureRecorderPeriod                // 0x9504: may carry a period
	FeatureHeaderTime                    // header with the time of sending
	FeatureSource                        // answers name the message that they answer: src_data_type, src_msg_sn
	FeaturePosition2019                  // positions hold the body of an 808 position report (pos2019)
	FeatureBareAlarms                    // 0x1400, 0x9400: no vehicle in the container
	FeatureLoginCentre                   // 0x1001: centre id in the body
	FeatureLongIDs                       // 0x1201: model and terminal id of 30 bytes, IMEI
	FeatureValidDate                     // driver: date until which the certificate is valid
	FeatureDriverFlag                    // 0x920A: asks for the last driver or the present one
	FeatureAnswerTime                    // 0x9301: time limit of the answer
	FeatureLongObjectID                  // 0x13xx, 0x93xx: object id of 20 bytes
	FeatureAlarmPeriod                   // alarms: platforms, start and end, route
	featureCount
)

var featureSince = [featureCount]Edition{FeatureLongModel: Edition2013, FeatureObject: Edition2013,
	FeatureRecorderPeriod: Edition2013, FeatureHeaderTime: Edition2019, FeatureSource: Edition2019,
	FeaturePosition2019: Edition2019, FeatureBareAlarms: Edition2019, FeatureLoginCentre: Edition2019,
	FeatureLongIDs: Edition2019, FeatureValidDate: Edition2019, FeatureDriverFlag: Edition2019,
	FeatureAnswerTime: Edition2019, FeatureLongObjectID: Edition2019, FeatureAlarmPeriod: Edition2019}

// Has reports whether the edition has the feature. EditionAuto is taken as 2013, which reads most of 2011 too.
func (e Edition) Has(f Feature) bool {
	if e == EditionAuto {
		e = Edition2013
	}
	return f < featureCount && e >= featureSince[f]
}
