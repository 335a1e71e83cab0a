package service

// The templates that docker is given.
const (
	DockerStatus = dockerStatus
)
