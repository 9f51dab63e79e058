"""What starts runs: jobs, schedules and sensors, and `drive.py`, which starts the same jobs from one process."""
