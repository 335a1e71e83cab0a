package main

import (
	"context"

	"z2mha/internal/failover/status"
	"z2mha/internal/homeassistant/supervisor"
)

// keepQuestions keeps a notification for each question that only a person can answer, and
// for each risk that somebody has accepted, as long as it stands. It ends with ctx.
func (s *server) keepQuestions(ctx context.Context) {
	for {
		changed := s.front.Changed()
		for _, n := range s.front.Networks() {
			s.remind(n)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// remind leaves alone what is not known yet.
func (s *server) remind(n status.Network) {
	question, risk := "z2mha_"+n.Name+"_question", "z2mha_"+n.Name+"_risk"
	title := "Zigbee network " + n.Name
	switch {
	case n.Decision == nil:
	case n.Decision.Question == nil:
		s.notices.Clear(question)
	default:
		q := n.Decision.Question
		s.notices.Set(question, title+": you are asked", s.noticeText(q.Text, q.Fix))
	}
	switch {
	case n.At.IsZero():
	case n.Policy.AcceptRisk == "":
		s.notices.Clear(risk)
	default:
		s.notices.Set(risk, title+": a risk is accepted", s.noticeText(riskText(n), "Give each host a fence, then remove accept_risk from z2mha.yaml."))
	}
}

func riskText(n status.Network) string {
	return "A stand-by takes over even when nobody can prove that the old stick is silent: " + n.Policy.AcceptRisk + "."
}

// noticeText is what a notification says, with a way to the page.
func (s *server) noticeText(text, fix string) string {
	out := supervisor.Plain(text)
	if fix != "" {
		out += "\n\n" + supervisor.Plain(fix)
	}
	if panel := s.panelPath(); panel != "" {
		out += "\n\n[Open the page](" + panel + ")"
	}
	return out
}
