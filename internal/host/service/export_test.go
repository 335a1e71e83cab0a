package service

// The templates that docker is given.
const (
	DockerStatus = dockerStatus
	DockerFound  = dockerFound
)

// The parts of Detect, for hosts that have only one of the managers.
var (
	DetectSystemd = detectSystemd
	DetectOpenRC  = detectOpenRC
	DetectDocker  = detectDocker
	ParseManagers = parseManagers
	ParseUnits    = parseUnits
	ParseScript   = parseScript
	ParseFound    = parseContainers
)
