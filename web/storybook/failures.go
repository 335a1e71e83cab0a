package storybook

import "z2mha/web"

func failures() []Story {
	return []Story{
		{"failure-part", PlaceDialog, web.FailurePart(web.Failure{What: "Stop attic", Why: "the name that was typed is not \"attic\".", Remedy: "Type it exactly as it is written."})},
		{"failure-no-remedy", PlaceDialog, web.FailurePart(web.Failure{What: "Sync", Why: "a plan is being carried out."})},
		{"failure-hostile", PlaceDialog, web.FailurePart(web.Failure{What: Hostile, Why: Long, Remedy: Hostile})},
		{"failure-not-found", PlacePage, web.FailurePage(Page("Not found"), web.Failure{What: "There is no such page.", Why: "The address is not one of ours."})},
		{"failure-forbidden", PlacePage, web.FailurePage(Page("Not allowed"), web.Failure{What: "That is not allowed.",
			Why: "Only administrators of Home Assistant can act.", Remedy: "Ask one, or sign in as one."})},
	}
}
