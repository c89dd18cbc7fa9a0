package jt809

// newBodyA makes the bodies of the links, of 0x1200, and of 0x1400 and 0x9400; nil where the id is none of them.
func newBodyA(id MessageID, ed Edition, n int) Body {
	switch id {
	case IDLogin:
		return new(Login)
	case IDLoginReply:
		return new(LoginReply)
	case IDLogout:
		return new(Logout)
	case IDLogoutReply, IDHeartbeat, IDHeartbeatReply, IDSubLogoutReply, IDSubHeartbeat, IDSubHeartbeatReply, IDApplyEnd:
		return new(Empty)
	case IDMainBroken:
		return new(MainBroken)
	case IDInferiorCloses:
		return new(InferiorCloses)
	case IDSubLogin:
		return new(SubLogin)
	case IDSubLoginReply:
		return new(SubLoginReply)
	case IDSubLogout:
		return new(SubLogout)
	case IDSubBroken:
		return new(SubBroken)
	case IDSuperiorCloses:
		return new(SuperiorCloses)

	case IDPositionCount, IDPositionCountUp:
		return new(PositionCount)
	case IDTransferQuery:
		return new(TransferQuery)
	case IDTransferReport:
		return new(TransferReport)
	case IDSerialNoticeUp, IDSerialNoticeDown:
		return new(SerialNotice)

	case IDRegistration:
		return new(Registration)
	case IDPosition:
		return new(Position)
	case IDPositionBatch:
		return new(PositionBatch)
	case IDExchangeStartReply, IDExchangeEndReply:
		return new(ExchangeReply)
	case IDApplyStart, IDApplyHistory:
		return new(Period)
	case IDDriverReply:
		return new(DriverReply)
	case IDWaybillReply:
		return new(WaybillReply)
	case IDDriverReport:
		return new(Driver)
	case IDWaybillReport:
		return new(WaybillReport)
	case IDRouteReport:
		return new(Route)

	case IDSupervisionReply:
		return new(SupervisionReply)
	case IDAlarmReport:
		return new(AlarmReport)
	case IDAlarmResult:
		// One id for two messages: the result of 2013, and a tip of 2019.
		if n == alarmResultSize || n < alarmTip2011 && ed != Edition2019 {
			return new(AlarmResult)
		}
		return &AlarmTip{up: true}
	case IDSupervisionAnswered:
		return new(SupervisionAnswered)
	case IDAlarmHandled:
		return new(AlarmHandled)
	case IDSupervisionSent:
		return new(SupervisionSent)
	case IDSupervision:
		return new(Supervision)
	case IDAlarmTip, IDAlarmExchange:
		return new(AlarmTip)
	}
	return nil
}
